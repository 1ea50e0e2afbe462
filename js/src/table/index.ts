import { entry } from "../view/entry";
import { mount } from "./table";

export default entry(mount);
