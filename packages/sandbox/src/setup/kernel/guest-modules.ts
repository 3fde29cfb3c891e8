/**
 * Modules the guest may need under either hypervisor: one initramfs serves both. A module that is built into the kernel is not in the initramfs;
 * one that the kernel does not have at all is an error unless it is optional.
 */
export const GUEST_MODULES: readonly { readonly name: string; readonly optional?: true }[] = [
  { name: "virtio_pci" },
  { name: "virtio_mmio", optional: true },
  { name: "virtio_blk" },
  { name: "virtio_console" },
  { name: "virtio_net" },
  { name: "virtio_rng", optional: true },
  { name: "virtio_balloon", optional: true },
  { name: "vmw_vsock_virtio_transport" },
  { name: "overlay" },
  { name: "squashfs" },
  { name: "erofs", optional: true },
  { name: "ext4" },
  { name: "pvpanic_pci", optional: true },
  { name: "pvpanic_mmio", optional: true },
];
