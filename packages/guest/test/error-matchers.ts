import { GuestError, type GuestErrorCode, type GuestErrorDetails } from "../src/errors.ts";

/** For `assert.throws` and `assert.rejects`: a GuestError of this code, with these details among its own, whose message matches. */
export function guestError(
  code: GuestErrorCode,
  message: RegExp = /./,
  details: GuestErrorDetails = {},
): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof GuestError) || error.code !== code || !message.test(error.message))
      return false;
    return Object.entries(details).every(
      ([key, value]) =>
        JSON.stringify(error.details[key as keyof GuestErrorDetails]) === JSON.stringify(value),
    );
  };
}
