/** Text of a hypervisor or a guest must not drive the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, "?");
}
