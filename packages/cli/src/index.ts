export { componentVersions, type ComponentVersions } from "@virga/sandbox";
export { VERSION } from "./version.ts";
