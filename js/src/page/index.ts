/** Entry point of the offline page. */
import { BinaryBundle } from "./binaryBundle";
import { openPage, pageView } from "./opening";
import { PageModel } from "./pageModel";
import type { Payload } from "./payload";
import { pictureViews } from "./pictures";

void openPage<Payload>(async (data) =>
  pictureViews([data, ...(data.others ?? [])].map((one) => ({
    name: one.name,
    build: async () => pageView(new PageModel(one, await BinaryBundle.read(one.archive))),
  }))));
