// A web server in a sandbox that has no network: one of its ports is reached through the sandbox's agent, and from this machine only.
import { Sandbox } from "virga";

await using sandbox = await Sandbox.create({ memoryMib: 128 });
await sandbox.files.write("/srv/index.html", "served from a microVM\n", { parents: true });
await using server = sandbox.spawn(["httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/srv"]);
await server.started;
while (!(await sandbox.ports()).some(({ port }) => port === 8080));

await using web = await sandbox.forward(8080);
for (const path of ["/", "/none"]) {
  const response = await fetch(`http://${web.address}:${web.port}${path}`);
  console.log(path, response.status, response.ok ? (await response.text()).trim() : "");
}
