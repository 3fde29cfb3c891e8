export { prerequisite } from "./prerequisite.ts";
