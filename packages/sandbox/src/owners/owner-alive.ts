import { identifyProcess, isSameProcess } from "@virga/vm";
import type { ProcessIdentity } from "@virga/vm";

/** Whether a process is surely dead. One of another pid namespace of this boot may live, and without /proc nobody can tell. */
export function isDeadOwner(owner: ProcessIdentity): boolean {
  const here = identifyProcess(process.pid);
  if (here === undefined) return false;
  const unsure = owner.bootId === here.bootId && owner.pidNamespace !== here.pidNamespace;
  return !unsure && !isSameProcess(owner);
}

/** This process, as an owner. */
export function thisOwner(): ProcessIdentity {
  const owner = identifyProcess(process.pid);
  if (owner === undefined) throw new Error("this process is not in /proc: is it mounted?");
  return owner;
}
