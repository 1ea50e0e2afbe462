import { entry } from "../view/entry";
import { mount } from "./quiz";

export default entry(mount);
