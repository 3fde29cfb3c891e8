/** The lab itself failed, as opposed to the command in it. */
export class LabError extends Error {
  override readonly name = "LabError";
}
