export { componentVersions, type ComponentVersions } from "./component-versions.ts";
export {
  buildNative,
  nativePrograms,
  type BuiltProgram,
  type NativeBuildOptions,
} from "./setup/native-build.ts";
export { VERSION } from "./version.ts";
