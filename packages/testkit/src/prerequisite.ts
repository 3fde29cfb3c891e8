/**
 * Decides whether a test that needs something of this machine is skipped. Gives `false` when it is there, else the
 * reason to pass as the test's `skip` option.
 *
 * `VIRGA_REQUIRE` (a comma-separated list of names) turns such a skip into an error, so that a machine which is
 * supposed to have the thing cannot pass by skipping.
 *
 * @param name what is needed, as written in `VIRGA_REQUIRE`: `qemu`, `cloud-hypervisor`, `kvm`, `lab`, `root`, …
 * @param missing why it cannot be used, or `undefined` when it can
 */
export function prerequisite(name: string, missing: string | undefined): false | string {
  if (missing === undefined) return false;
  const required = (process.env["VIRGA_REQUIRE"] ?? "").split(",").map((entry) => entry.trim());
  if (required.includes(name)) {
    throw new Error(`VIRGA_REQUIRE asks for ${name}, which this machine lacks: ${missing}`);
  }
  return `${name}: ${missing}`;
}
