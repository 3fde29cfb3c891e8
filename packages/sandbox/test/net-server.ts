// A server for tests of networks, to be run in a network namespace: `tcp ADDRESS PORT WORD` says the word to whoever connects, and `dns ADDRESS ANSWER` answers every
// question with that address. One line on standard output when it listens, and one for each that it served.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const [kind, address = "", third = "", word = ""] = process.argv.slice(2);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

if (kind === "tcp") {
  createServer((socket) => {
    socket.on("error", () => undefined);
    say("served");
    socket.end(`${word}\n`);
  }).listen(Number(third), address, () => say("ready"));
} else {
  const answer = third.split(".").map(Number);
  const server = createSocket("udp4", (question, from) => {
    // The question is sent back with one answer behind it: a pointer to its name, type A, class IN, a minute, 4 bytes.
    const reply = Buffer.concat([
      question,
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer]),
    ]);
    reply.writeUInt16BE(0x8180, 2);
    // Whatever else was asked for, there is one answer to the type A and none to another.
    const isA = question.readUInt16BE(question.length - 4) === 1;
    reply.writeUInt16BE(isA ? 1 : 0, 6);
    server.send(isA ? reply : reply.subarray(0, question.length), from.port, from.address);
    say("served");
  });
  server.bind(53, address, () => say("ready"));
}
