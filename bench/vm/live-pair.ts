import type { HypervisorName, Vm } from "@virga/vm";
import { VmFixture, agentOf } from "./fixture.ts";
import type { RawVm } from "./raw-vm.ts";

/** A VM of each kind whose agent has been initialised, for what is done to running VMs. */
export class LivePair {
  readonly fixture: VmFixture;
  readonly raw: RawVm;
  readonly vm: Vm;

  private constructor(fixture: VmFixture, raw: RawVm, vm: Vm) {
    this.fixture = fixture;
    this.raw = raw;
    this.vm = vm;
  }

  static async open(hypervisor: HypervisorName): Promise<LivePair> {
    const fixture = await VmFixture.open(hypervisor);
    try {
      const config = fixture.config();
      const vm = await fixture.manager.create(config);
      const blueprint = await fixture.blueprint(vm);
      const directory = fixture.newDirectory();
      const raw = await fixture.keep(fixture.raw.boot({ blueprint, directory, config }));
      for (const one of [raw, vm]) {
        await using agent = agentOf(one);
        await agent.init();
      }
      return new LivePair(fixture, raw, vm);
    } catch (error) {
      await fixture.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.fixture.close();
  }
}
