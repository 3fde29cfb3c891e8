// Several sandboxes at the same time, from one opened host. They come from one template, and none sees what another does.
import { Host, Sandbox } from "virga";

const host = await Host.open();
// The first sandbox of a kind makes its template.
await (await Sandbox.create({ host })).destroy();

const answers = await Promise.all(
  ["red", "green", "blue"].map(async (colour) => {
    await using sandbox = await Sandbox.create({ host, env: { COLOUR: colour } });
    await sandbox.run(["/bin/sh", "-c", 'echo "$COLOUR" > /tmp/mine']);
    const { stdout } = await sandbox.run(["/bin/sh", "-c", "ls /tmp; cat /tmp/mine; hostname"]);
    const [files, content, name] = stdout.trim().split("\n");
    return { files, content, isItself: name === sandbox.id };
  }),
);
for (const answer of answers) console.log(JSON.stringify(answer));
