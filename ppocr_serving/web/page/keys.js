// The API key: asked for when the server wants one.

import { byId } from "./dom.js";
import { keepKey, knownKey } from "./memory.js";

const REFUSED = "unauthorized";

let asking = null;

/** Run a request; if the server wants a key, ask for one and run it again. */
export async function withKey(request) {
  for (;;) {
    const used = knownKey();
    try {
      return await request();
    } catch (fault) {
      if (fault.code !== REFUSED) throw fault;
      if (used === knownKey() && !(await askForKey(used !== ""))) throw fault;
    }
  }
}

/** Ask once, however many requests want to know. */
function askForKey(wasWrong) {
  asking ??= new Promise((resolve) => {
    const dialog = byId("key");
    const field = byId("key-field");
    byId("key-fault").hidden = !wasWrong;
    field.value = "";
    const finish = () => {
      const isGiven = dialog.returnValue === "use" && field.value.trim() !== "";
      if (isGiven) keepKey(field.value.trim(), byId("key-kept").checked);
      field.value = "";
      asking = null;
      resolve(isGiven);
    };
    dialog.returnValue = "";
    dialog.addEventListener("close", finish, { once: true });
    dialog.showModal();
  });
  return asking;
}

/** Connect the dialog's buttons. */
export function startKeys() {
  byId("key-cancel").addEventListener("click", () => byId("key").close("cancel"));
}
