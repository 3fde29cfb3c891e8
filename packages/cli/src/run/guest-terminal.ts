import type { GuestProcess, TerminalSize } from "@virga/guest";

const DEFAULT_SIZE: TerminalSize = { rows: 24, cols: 80 };

/** The size of the terminal that output goes to, or the usual one where it goes elsewhere. */
export function terminalSize(): TerminalSize {
  const { rows, columns } = process.stdout;
  return rows > 0 && columns > 0 ? { rows, cols: columns } : DEFAULT_SIZE;
}

/** Keeps the guest's terminal at the size of ours. Returns the stop function. */
export function followSize(guest: GuestProcess): () => void {
  const resize = (): void => {
    // A guest that has gone meanwhile needs no size.
    guest.resize(terminalSize()).catch(() => undefined);
  };
  process.stdout.on("resize", resize);
  return () => void process.stdout.off("resize", resize);
}
