import { receiveMigration, sendMigration, type MigrationStream } from "./migration-stream.ts";

/** The migration of a fake QEMU's machine, in or out: what it may do, how it stands, and the events that tell of it. */
export class QemuMigration {
  readonly #emit: (event: string, data: object) => void;
  readonly #capabilities = new Set<string>();
  #status: Readonly<Record<string, unknown>> = {};

  constructor(emit: (event: string, data: object) => void) {
    this.#emit = emit;
  }

  /** As `query-migrate` tells it. */
  get status(): Readonly<Record<string, unknown>> {
    return this.#status;
  }

  /** Whether memory in a shared file stays there. */
  get ignoresShared(): boolean {
    return this.#capabilities.has("x-ignore-shared");
  }

  setCapabilities(list: unknown): void {
    for (const { capability, state } of list as { capability: string; state: boolean }[]) {
      if (state) this.#capabilities.add(capability);
      else this.#capabilities.delete(capability);
    }
  }

  cancel(): void {
    if (this.#status["status"] === "active") this.#status = { status: "cancelled" };
  }

  /** Begins to send; the machine has stopped when `onSent` is called. */
  send(uri: string, stream: MigrationStream, onSent: () => void): void {
    this.#set("active");
    void sendMigration(uri, stream).then(
      () => {
        onSent();
        this.#set("completed");
      },
      (error: unknown) => this.#set("failed", { "error-desc": String(error) }),
    );
  }

  /** Resolves when the socket listens; the state follows in its own time, and whoever gets it tells of its end by {@link complete}. */
  receive(
    uri: string,
    onArrived: (stream: MigrationStream) => void,
    onBroken: (error: unknown) => void,
  ): Promise<void> {
    const { listening, received } = receiveMigration(uri);
    this.#set("setup");
    void received.then(onArrived, onBroken);
    return listening;
  }

  complete(): void {
    this.#set("completed");
  }

  #set(status: string, more: object = {}): void {
    this.#status = { status, ...more };
    if (this.#capabilities.has("events")) this.#emit("MIGRATION", { status });
  }
}
