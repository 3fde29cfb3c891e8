import { VirgaError } from "../../errors.ts";
import { isAtLeast } from "../is-at-least.ts";
import type { CallOptions, HypervisorBinary } from "../port.ts";
import { askQemu, strangeAnswer } from "./ask-qemu.ts";
import { mapsReadOnly } from "./maps-read-only.ts";

/** The oldest QEMU that is driven. */
const FLOOR: HypervisorBinary["numbers"] = [7, 2, 0];

/** Asks the QEMU `binary` who it is and what it can: two starts of it. */
export async function identifyQemu(
  binary: string,
  options: CallOptions,
): Promise<HypervisorBinary> {
  const answer = await askQemu(binary, ["--version"], options);
  const match = /^QEMU emulator version ((\d{1,4})\.(\d{1,4})\.(\d{1,4})[^\r\n]{0,200})/u.exec(
    answer,
  );
  if (match === null) {
    throw strangeAnswer(
      binary,
      { doing: `the version of ${binary}`, expected: '"QEMU emulator version …"' },
      answer,
    );
  }
  const numbers = [Number(match[2]), Number(match[3]), Number(match[4])] as const;
  const version = (match[1] ?? "").trim();
  if (!isAtLeast(numbers, FLOOR)) {
    throw new VirgaError(
      "HYPERVISOR_TOO_OLD",
      `QEMU ${version} (${binary}) is too old: ${FLOOR.join(".")} or newer is needed`,
      { details: { binary, version, floor: FLOOR.join(".") } },
    );
  }
  return {
    name: "qemu",
    binary,
    version,
    numbers,
    mapsReadOnly: await mapsReadOnly(binary, options),
  };
}
