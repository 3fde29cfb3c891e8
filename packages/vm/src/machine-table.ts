import { VirgaError } from "./errors.ts";
import type { Machine } from "./machine.ts";

/** The VMs of one manager by id, those it is starting included: an id is taken from the first step on. */
export class MachineTable {
  readonly #machines = new Map<string, Machine>();
  readonly #starting = new Set<string>();

  get(id: string): Machine | undefined {
    return this.#machines.get(id);
  }

  all(): Machine[] {
    return [...this.#machines.values()];
  }

  isTaken(id: string): boolean {
    return this.#machines.has(id) || this.#starting.has(id);
  }

  /** `VM_NOT_FOUND` where there is none. */
  find(id: string): Machine {
    const machine = this.#machines.get(id);
    // The seed's words.
    if (machine === undefined)
      throw new VirgaError("VM_NOT_FOUND", `VM not found: ${id}`, { details: { id } });
    return machine;
  }

  /** Lists what `start` makes, and keeps its id meanwhile. `VM_EXISTS` when that is taken. */
  async start(id: string, start: () => Promise<Machine>): Promise<Machine> {
    this.checkFree(id);
    this.#starting.add(id);
    try {
      const machine = await start();
      this.#machines.set(id, machine);
      return machine;
    } finally {
      this.#starting.delete(id);
    }
  }

  /** `VM_EXISTS` when the id is taken. */
  checkFree(id: string): void {
    if (this.isTaken(id))
      throw new VirgaError("VM_EXISTS", `VM "${id}" exists already`, { details: { id } });
  }

  add(machine: Machine): void {
    this.#machines.set(machine.id, machine);
  }

  delete(machine: Machine): void {
    // Another one may have taken its place.
    if (this.#machines.get(machine.id) === machine) this.#machines.delete(machine.id);
  }
}
