import { entry } from "./view/entry";
import { mount } from "./view/view";

export default entry(mount);
