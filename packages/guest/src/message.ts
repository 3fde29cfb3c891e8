/** A decoded value: the subset of MessagePack that the agent protocol allows. */
export type MessageValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly MessageValue[]
  | MessageMap;

/** A decoded map. A `Map`, so that no key of the guest's choosing can touch a prototype. */
export type MessageMap = ReadonlyMap<string, MessageValue>;

/** A value that can be encoded. Numbers are integers below 2^53 in magnitude; strings are well-formed Unicode. */
export type MessageInput =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly MessageInput[]
  | ReadonlyMap<string, MessageInput>
  | MessageFields;

/** Keys and values of a map to be encoded, in this order; keys whose value is `undefined` are left out. */
export interface MessageFields {
  readonly [key: string]: MessageInput | undefined;
}

/** Maps and arrays may stand inside each other this deep; the outermost counts as one. */
export const maxMessageDepth = 8;

/** Largest magnitude of an integer. */
export const maxMessageInteger: number = Number.MAX_SAFE_INTEGER;
