import { request } from "node:http";
import { text } from "node:stream/consumers";

/** One call of Cloud Hypervisor's API, on a connection of its own. */
export function restCall(
  socketPath: string,
  method: "GET" | "PUT",
  call: string,
  body?: unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { "content-type": "application/json" };
    const sent = request(
      { socketPath, method, path: `/api/v1/${call}`, agent: false, headers },
      (response) => {
        text(response).then((answer) => {
          const { statusCode = 500 } = response;
          if (statusCode >= 300) reject(new Error(`${call}: ${statusCode} ${answer}`));
          else resolve(answer === "" ? undefined : JSON.parse(answer));
        }, reject);
      },
    );
    sent.once("error", reject);
    if (payload !== undefined) sent.setHeader("content-length", Buffer.byteLength(payload));
    sent.end(payload);
  });
}
