import type * as NodeHttp from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { VirgaError, abortedError, errnoOf, errorText, isVirgaError } from "../../errors.ts";
import type { CallOptions } from "../port.ts";
import { apiError } from "./api-error.ts";

/** Largest request Cloud Hypervisor 53 reads. */
export const MAX_REQUEST_BYTES = 51_200;

const MAX_ANSWER_BYTES = 1024 * 1024;

/** So long after a call its connection is kept for the next one. The server's ten are for all processes that use the VM. */
const KEPT_MS = 500;

/** So long after a refusal for too many connections the call is made again. */
const CROWDED_MS = 50;

type Http = typeof NodeHttp;

/** Calls to the REST API of one VMM, over its Unix socket. */
export interface ApiClient {
  /** Sends one call; resolves with the parsed JSON of the answer, or undefined where the answer has no body. */
  call(
    method: "GET" | "PUT",
    call: string,
    options: CallOptions & { readonly body?: unknown },
  ): Promise<unknown>;
  /** Ends kept connections. Idempotent. */
  close(): void;
}

/**
 * A client of the socket `socketPath`. Connects when used and has at most two connections: one for an operation, one for a look beside it. One is kept
 * for a moment. The server takes ten, and gives the VMM one request at a time.
 */
export function createApiClient(socketPath: string): ApiClient {
  let agent: NodeHttp.Agent | undefined;
  return {
    async call(method, call, options) {
      const body = options.body === undefined ? "" : JSON.stringify(options.body);
      const bytes = Buffer.byteLength(body);
      if (bytes > MAX_REQUEST_BYTES) {
        throw new VirgaError(
          "INVALID_CONFIG",
          `The configuration is ${bytes} bytes long, Cloud Hypervisor reads at most ${MAX_REQUEST_BYTES}`,
          { details: { call, bytes, maximum: MAX_REQUEST_BYTES } },
        );
      }
      const http = await loadHttp();
      // It ends a connection after that time only while nobody uses it.
      agent ??= new http.Agent({
        keepAlive: true,
        maxSockets: 2,
        maxFreeSockets: 1,
        timeout: KEPT_MS,
      });
      const request = { http, agent, socketPath, method, call, body, bytes };
      const { status, text } = await askUntilServed(request, options);
      if (status < 200 || status > 299) throw apiError({ call, status, body: text });
      return parseAnswer(call, text);
    },
    close: () => agent?.destroy(),
  };
}

/** Node's HTTP takes 40 ms to load, which every process that runs a QEMU would pay for nothing. */
function loadHttp(): Promise<Http> {
  return import("node:http");
}

function parseAnswer(call: string, text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw protocolError(call, "the answer is no JSON", {
      cause: error,
      answer: text.slice(0, 500),
    });
  }
}

interface Exchange {
  readonly http: Http;
  readonly agent: NodeHttp.Agent;
  readonly socketPath: string;
  readonly method: "GET" | "PUT";
  readonly call: string;
  readonly body: string;
  readonly bytes: number;
}

/**
 * Too many clients at once: the server has refused before it read the request, so that it can be sent again. It says so until the deadline at most. It closes
 * at once, and whoever writes after that is not told why; where the VMM has ended, nobody answers the next time.
 */
async function askUntilServed(input: Exchange, options: CallOptions): Promise<Answer> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const answer = await exchange(input, options, deadline - performance.now()).catch(
      (error: unknown) => {
        if (isVirgaError(error) && error.details["errno"] === "EPIPE") return error;
        throw error;
      },
    );
    const isLate = performance.now() + CROWDED_MS >= deadline;
    if (isVirgaError(answer)) {
      if (isLate) throw answer;
    } else if (answer.status !== 503 || !/too many open connections/iu.test(answer.text)) {
      return answer;
    } else if (isLate) throw timeoutError(input.call, options.timeoutMs);
    await sleep(CROWDED_MS, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** `leftMs`: what is left of the time-out. */
function exchange(
  input: Exchange,
  { timeoutMs, signal }: CallOptions,
  leftMs: number,
): Promise<Answer> {
  const { http, agent, socketPath, method, call, body, bytes } = input;
  const what = `call ${call} of Cloud Hypervisor`;
  if (signal?.aborted === true) return Promise.reject(abortedError(what, signal));
  return new Promise((resolve, reject) => {
    const request = http.request({
      agent,
      socketPath,
      method,
      path: `/api/v1/${call}`,
      // The length is always given, because the server does not decode chunks; a length of zero is no body.
      headers: {
        host: "localhost",
        accept: "application/json",
        "content-length": bytes,
        ...(bytes > 0 && { "content-type": "application/json" }),
      },
    });
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      finish();
    };
    const fail = (error: VirgaError): void => {
      settle(() => reject(error));
      // The server goes on with the call, but this connection must not carry its late answer to a later one.
      request.destroy();
    };
    const onAbort = (): void => {
      if (signal !== undefined) fail(abortedError(what, signal));
    };
    const timer = setTimeout(() => fail(timeoutError(call, timeoutMs)), leftMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    request.on("error", (error) => fail(transportError(call, socketPath, error)));
    request.on("response", (response) => {
      collect(call, response).then(
        (answer) => settle(() => resolve(answer)),
        (error: unknown) => {
          fail(error instanceof VirgaError ? error : transportError(call, socketPath, error));
        },
      );
    });
    request.end(body);
  });
}

async function collect(call: string, response: NodeHttp.IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw protocolError(call, `the answer is longer than ${MAX_ANSWER_BYTES} bytes`, {});
    }
    pieces.push(piece);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString("utf8") };
}

function timeoutError(call: string, timeoutMs: number): VirgaError {
  return new VirgaError(
    "TIMEOUT",
    `Cloud Hypervisor did not answer ${call} within ${timeoutMs} ms`,
    {
      details: { call, timeoutMs },
    },
  );
}

function protocolError(
  call: string,
  why: string,
  { cause, ...details }: { readonly cause?: unknown; readonly answer?: string },
): VirgaError {
  return new VirgaError(
    "HYPERVISOR_PROTOCOL",
    `Cannot understand Cloud Hypervisor's answer to ${call}: ${why}`,
    {
      cause,
      details: { call, ...details },
    },
  );
}

function transportError(call: string, socketPath: string, error: unknown): VirgaError {
  const errno = errnoOf(error) ?? null;
  // Node's HTTP parser names its complaints HPE_…
  if (errno?.startsWith("HPE_") === true)
    return protocolError(call, errorText(error), { cause: error });
  const details = { call, socketPath, errno };
  if (errno === "ENOENT" || errno === "ECONNREFUSED") {
    return new VirgaError("HYPERVISOR_EXITED", `No Cloud Hypervisor answers at ${socketPath}`, {
      cause: error,
      details,
    });
  }
  if (errno === "ECONNRESET" || errno === "EPIPE" || errno === "ERR_STREAM_PREMATURE_CLOSE") {
    return new VirgaError(
      "HYPERVISOR_EXITED",
      `Cloud Hypervisor closed the connection before it had answered ${call}`,
      { cause: error, details },
    );
  }
  return new VirgaError(
    "IO_ERROR",
    `Cannot talk to Cloud Hypervisor at ${socketPath}: ${errorText(error)}`,
    { cause: error, details },
  );
}
