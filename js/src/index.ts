/** The explorer's view as a module of anywidget. */
import { widgetModule } from "./view/model";
import { mount } from "./view/view";

export default widgetModule(mount);
