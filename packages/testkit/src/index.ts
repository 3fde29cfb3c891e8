export { testAssets, testKernel, testProgram, type TestAssets, type TestKernel } from "./assets.ts";
export { fakeModule } from "./fake-module.ts";
export { usePathPrograms, useTemporaryDirectory } from "./temporary.ts";
export { prerequisite } from "./prerequisite.ts";
