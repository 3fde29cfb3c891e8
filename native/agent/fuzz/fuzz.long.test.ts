// The agent's fuzz target under libFuzzer.
import { testLibFuzzer } from "../../test-fuzz.ts";
import { writeCorpus } from "./corpus.ts";
import { sources } from "./sources.ts";

testLibFuzzer("the agent's reading", { sources, writeCorpus });
