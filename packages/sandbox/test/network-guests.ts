// What guests with a network see, as JSON; run by network.vm.test.ts in a network namespace that plays this machine.
// usage: network-guests PLACE-AS-JSON
import { Sandbox } from "@virga/sandbox";
import type { TestPlace } from "@virga/testkit";
import { MACHINE, WORLD } from "./test-networks.ts";
import { testHost } from "./test-host.ts";

const place = JSON.parse(process.argv[2] ?? "") as TestPlace;

// A pipe that never ends: a client that closes its side at once may hang with Debian 12's passt.
const connect = (address: string, port: number, waitS: number): string[] => [
  "sh",
  "-c",
  `test -p /tmp/open || mkfifo /tmp/open; nc -w ${waitS} ${address} ${port} <> /tmp/open`,
];

// From here on the guest's own kernel takes the loopback's address for one beyond the gateway: what a hostile guest's packets look like.
const sendLoopbackOut = `
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
ip address flush dev lo
ip route flush table local dev lo
ip address add 10.200.0.2/32 dev lo
ip route add 127.0.0.1/32 via 10.200.0.1 dev eth0 src 10.200.0.2
sent() { cat /sys/class/net/eth0/statistics/tx_packets; }
before=$(sent)
nc -w 3 127.0.0.1 7001 < /dev/null
echo "more packets: $(( $(sent) > before ))"`;

const host = await testHost(place);
const options = { hypervisor: "qemu", memoryMib: 256, host, network: "internet" } as const;
await using first = await Sandbox.create(options);
await using second = await Sandbox.create(options);
const says = async (sandbox: Sandbox, command: readonly string[]): Promise<string> => {
  const { stdout, stderr } = await sandbox.run(command, { reject: false });
  return (stdout + stderr).trim();
};
const clones = [first, second];
const found = {
  outside: await Promise.all(clones.map((sandbox) => says(sandbox, connect(WORLD, 7001, 100)))),
  modes: await Promise.all(clones.map(async ({ vm }) => (await vm.info()).restore?.mode)),
  address: await says(first, ["ip", "-4", "-o", "address", "show", "eth0"]),
  resolver: await says(first, ["cat", "/etc/resolv.conf"]),
  name: await says(second, ["nslookup", "-type=a", "example.test"]),
  machine: await says(second, connect(MACHINE, 7002, 100)),
  gateway: await says(first, connect("10.200.0.1", 7001, 3)),
  loopback: await says(second, ["sh", "-c", sendLoopbackOut]),
};
await first.suspend();
await first.resume();
const again = await says(first, connect(WORLD, 7001, 100));
process.stdout.write(JSON.stringify({ ...found, again }));
