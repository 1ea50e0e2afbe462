/** Entry point of the offline page. */
import { BinaryBundle } from "./binaryBundle";
import { openPage, pageView } from "./opening";
import { PageModel } from "./pageModel";
import type { Payload } from "./payload";

void openPage<Payload>(async (data) => pageView(new PageModel(data, await BinaryBundle.read(data.archive))));
