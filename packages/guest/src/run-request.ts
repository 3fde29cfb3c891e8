import { Answer } from "./answer.ts";
import type { Deadline } from "./deadline.ts";
import { GuestError } from "./errors.ts";
import type { MessageMap } from "./message.ts";
import type { Session } from "./session.ts";

/**
 * Runs an operation that only answers. Resolves after its END, so that the session is free again.
 * @throws GuestError the agent's refusal, or what ended the session; a deadline ends it too.
 */
export function runRequest(
  session: Session,
  op: string,
  request: Uint8Array,
  deadline: Deadline,
): Promise<MessageMap> {
  return new Promise((resolve, reject) => {
    let response: MessageMap | undefined;
    let release = (): void => {};
    session.begin(op, request, {
      onResponse: (map) => {
        response = map;
      },
      onData: unexpected,
      onEof: unexpected,
      onEvent: unexpected,
      onEnd: () => {
        release();
        if (response === undefined) unexpected();
        else if (response.get("ok") === true) resolve(response);
        else reject(new Answer(op, response).refusal());
      },
      onLost: (error) => {
        release();
        reject(error);
      },
    });
    release = deadline.onOver(() => void session.close(deadline.error("unknown")));
  });

  function unexpected(): never {
    throw new GuestError("GUEST_PROTOCOL", `The guest agent sent more than an answer to ${op}`);
  }
}
