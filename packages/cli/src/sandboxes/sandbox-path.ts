/** A path in a sandbox. */
export interface SandboxPath {
  readonly sandbox: string;
  readonly path: string;
}

/** Reads `NAME:/PATH`; undefined for a path of this machine. One of this machine's that looks like it is written with `./` before it. */
export function sandboxPath(text: string): SandboxPath | undefined {
  const [, sandbox, path] = /^([a-z0-9][a-z0-9-]*):(\/.*)$/su.exec(text) ?? [];
  return sandbox === undefined || path === undefined ? undefined : { sandbox, path };
}
