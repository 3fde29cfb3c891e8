// The fuzz target under libFuzzer.
import { sourcesIn, testLibFuzzer } from "../../test-fuzz.ts";
import { writeCorpus } from "./corpus.ts";

const sources = sourcesIn(import.meta.dirname).filter((path) => !path.endsWith("/driver.c"));

testLibFuzzer("channel and codecs", { sources, writeCorpus });
