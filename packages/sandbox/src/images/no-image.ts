import { VirgaError, virgaCommand } from "@virga/vm";
import { BUILT_IN_NAMES, DEBIAN } from "./own-images.ts";

/** The error of an image that is not in the store, which says so of those that the list shows all the same. */
export function noImageError(name: string): VirgaError {
  const details = { image: name };
  if (BUILT_IN_NAMES.includes(name)) {
    const sentence = `The image "${name}" is built in: nothing is kept of it, and it cannot be removed`;
    return new VirgaError("NOT_FOUND", sentence, { details });
  }
  if (name === DEBIAN) {
    return new VirgaError("NOT_FOUND", `The image "${name}" was not made yet`, {
      details,
      hint: "It is made when it is first used.",
    });
  }
  return new VirgaError("NOT_FOUND", `There is no image ${JSON.stringify(name)}`, {
    details,
    hint: `See: ${virgaCommand("image ls")}`,
  });
}
