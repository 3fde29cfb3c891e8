/** What an entry of an archive is. */
export type TarType = "file" | "link" | "symlink" | "character" | "block" | "directory" | "fifo";

/** What a file system keeps of a file beside its name and content. Texts hold one byte a character: names are bytes, whatever they mean. */
export interface TarAttributes {
  readonly type: TarType;
  /** Permissions with the setuid, setgid and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of a symbolic link what it says, of a hard link the path of the other name. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  /** Extended attributes by their full names. */
  readonly xattrs: ReadonlyMap<string, string>;
}

/** One entry of an archive. */
export interface TarEntry extends TarAttributes {
  /** As it stands there: it may lead anywhere. */
  readonly path: string;
  /** Bytes of content; 0 for all but files. */
  readonly size: number;
  /** Where the content begins in the archive. */
  readonly offset: number;
}

const XATTR_PREFIX = "SCHILY.xattr.";

/** The key of an extended attribute in a pax header. */
export function xattrKey(name: string): string {
  return XATTR_PREFIX + name;
}

/** The name of an extended attribute, if the key is one's. */
export function xattrName(key: string): string | undefined {
  return key.startsWith(XATTR_PREFIX) ? key.slice(XATTR_PREFIX.length) : undefined;
}
