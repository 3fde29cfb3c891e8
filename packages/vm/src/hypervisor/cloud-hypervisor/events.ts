/** One event of Cloud Hypervisor's monitor. */
export interface VmmEvent {
  /** `vmm`, `vm`, `virtio-device`, `guest`, … */
  readonly source: string;
  readonly event: string;
}

const MAX_EVENT_CHARACTERS = 16 * 1024;

/** Splits the event monitor's file into events, piece by piece. */
export interface EventParser {
  push(text: string): VmmEvent[];
}

/**
 * A parser of the event file: pretty-printed JSON objects one after the other. An event that was cut (its writes are not repeated), is too long or is no
 * JSON is dropped: a brace in the first column always begins a new one, because those inside an event are indented.
 */
export function createEventParser(): EventParser {
  let pending = "";
  let depth = 0;
  let inString = false;
  let escaped = false;
  let lineStart = true;
  const reset = (): void => {
    pending = "";
    depth = 0;
    inString = false;
    escaped = false;
  };
  const take = (character: string): VmmEvent | undefined => {
    if (character === "{" && lineStart) reset();
    lineStart = character === "\n";
    if (depth === 0 && character !== "{") return undefined;
    if (pending.length >= MAX_EVENT_CHARACTERS) {
      reset();
      return undefined;
    }
    pending += character;
    if (inString) {
      if (escaped) escaped = false;
      else if (character === "\\") escaped = true;
      else if (character === '"') inString = false;
      return undefined;
    }
    if (character === '"') inString = true;
    else if (character === "{") depth++;
    else if (character === "}") depth--;
    if (depth > 0) return undefined;
    const event = parseEvent(pending);
    reset();
    return event;
  };
  return {
    push(text) {
      const events: VmmEvent[] = [];
      for (const character of text) {
        const event = take(character);
        if (event !== undefined) events.push(event);
      }
      return events;
    },
  };
}

function parseEvent(text: string): VmmEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !("source" in value) || !("event" in value))
    return undefined;
  const { source, event } = value;
  return typeof source === "string" && typeof event === "string" ? { source, event } : undefined;
}
