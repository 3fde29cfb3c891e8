const ID = /^[a-z0-9][a-z0-9-]{0,62}$/u;
const DISK_ID = /^[a-z0-9][a-z0-9-]{0,15}$/u;

/** Whether `id` may name a VM: it becomes part of paths and a host name. */
export function isVmId(id: unknown): id is string {
  return typeof id === "string" && ID.test(id);
}

/** Whether `id` may name a disk: it becomes the disk's serial number, of at most 20 characters. */
export function isDiskId(id: unknown): id is string {
  return typeof id === "string" && DISK_ID.test(id);
}
