import assert from "node:assert/strict";
import { test } from "node:test";
import { stateJson } from "../../../test/snapshot-state.ts";
import { VirgaError } from "../../errors.ts";
import { emptyRangeTable, rangesMatchFile, readMemoryState } from "./snapshot-state.ts";

const GIB = 1024 ** 3;

const split: [number, number][] = [
  [0, 3 * GIB],
  [4 * GIB, GIB],
];

test("the tables are read", () => {
  assert.deepEqual(readMemoryState(stateJson(split)), {
    ranges: [
      { gpa: 0, length: 3 * GIB },
      { gpa: 4 * GIB, length: GIB },
    ],
    mappings: [
      { gpa: 0, size: 3 * GIB, fileOffset: 0 },
      { gpa: 4 * GIB, size: GIB, fileOffset: 3 * GIB },
    ],
  });
});

test("what is in another form is not read", () => {
  const text = stateJson([[0, 4096]]);
  for (const other of [
    "",
    "{}",
    '{"snapshots":{"memory-manager":{"snapshot_data":{"state":"[]"}}}}',
    text.replace('\\"gpa\\":0', '\\"gpa\\":-1'),
    text.replace("4096", "18446744073709551615"),
    text.replace("false", "true"),
  ]) {
    assert.equal(readMemoryState(other), undefined);
  }
});

test("ranges match a file when every byte lies where the mapping has it", () => {
  const state = readMemoryState(stateJson(split));
  assert.ok(state !== undefined);
  assert.ok(rangesMatchFile(state, 4 * GIB));
  assert.ok(!rangesMatchFile(state, 3 * GIB));
  const reordered = readMemoryState(stateJson(split.toReversed(), split));
  assert.ok(reordered !== undefined && !rangesMatchFile(reordered, 4 * GIB));
  const partial = readMemoryState(stateJson(split.slice(0, 1), split));
  assert.ok(partial !== undefined && !rangesMatchFile(partial, 3 * GIB));
});

test("the range table is emptied and every other byte stays", () => {
  const text = stateJson(split);
  const emptied = emptyRangeTable(text);
  assert.deepEqual(readMemoryState(emptied)?.ranges, []);
  assert.match(emptied, /18446744073709551615/u);
  const table = String.raw`{\"gpa\":0,\"length\":3221225472},{\"gpa\":4294967296,\"length\":1073741824}`;
  assert.equal(emptied.replace(String.raw`\"data\":[]`, String.raw`\"data\":[${table}]`), text);
});

test("a table that is absent or there twice is refused", () => {
  const once = stateJson(split);
  for (const text of ["{}", `[${once},${once}]`]) {
    assert.throws(
      () => emptyRangeTable(text),
      (error) => error instanceof VirgaError && error.code === "SNAPSHOT_FAILED",
    );
  }
});
