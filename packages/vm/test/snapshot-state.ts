/** `state.json` as Cloud Hypervisor writes it, shortened: each device's state is JSON inside a string, with numbers of 64 bits. */
export function stateJson(ranges: readonly [number, number][], mappings = ranges): string {
  let offset = 0;
  const memory = {
    memory_ranges: { data: ranges.map(([gpa, length]) => ({ gpa, length })) },
    guest_ram_mappings: mappings.map(([gpa, size], slot) => {
      const mapping = {
        slot,
        gpa,
        size,
        zone_id: "memory",
        virtio_mem: false,
        file_offset: offset,
      };
      offset += size;
      return mapping;
    }),
    boot_ram: 1,
  };
  return JSON.stringify({
    snapshots: {
      vm: { snapshots: {}, snapshot_data: { state: '{"msr":18446744073709551615}' } },
      "memory-manager": { snapshots: {}, snapshot_data: { state: JSON.stringify(memory) } },
    },
  });
}
