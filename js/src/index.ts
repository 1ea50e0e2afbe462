/** Entry point of the explorer's view, an anywidget module. */
import { widgetModule } from "./view/model";
import { mount } from "./view/view";

export default widgetModule(mount);
