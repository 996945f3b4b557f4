// Puts the page together.

import { drawsRegion, startBoxes } from "./boxes.js";
import { byId, element } from "./dom.js";
import { offerFormats, startDownloads } from "./downloads.js";
import { explain } from "./faults.js";
import { startGuide } from "./guide.js";
import { startIntake } from "./intake.js";
import { startKeys, withKey } from "./keys.js";
import { onLanguage, say, startLanguage } from "./language.js";
import { library } from "./library.js";
import { startLines } from "./lines.js";
import { offer, startOptions } from "./options.js";
import { startPanels } from "./panels.js";
import { readAgain } from "./reading.js";
import { startSearch } from "./search.js";
import { capabilities } from "./server.js";
import { startShelf } from "./shelf.js";
import { startTheme } from "./theme.js";
import { startViewer } from "./viewer.js";

let server = null;
let fault = null;

function describe() {
  const shown = byId("server");
  if (fault) {
    const again = element("button", { type: "button", className: "link", textContent: say("try_again") });
    again.addEventListener("click", () => void ask());
    shown.replaceChildren(explain(fault).what, " ", again);
  }
  if (!server) return;
  const [profile] = server.profiles;
  const names = new Intl.DisplayNames([document.documentElement.lang], { type: "language" });
  const languages = server.languages.map((tag) => names.of(tag)).join(", ");
  shown.textContent = say("server", profile?.name ?? "", server.languages.length, server.version);
  shown.title = `${profile?.summary ?? ""}\n${languages}`;
}

async function ask() {
  try {
    server = await withKey(capabilities);
    offer(server.options);
    offerFormats(server.formats);
    fault = null;
  } catch (reason) {
    fault = reason;
  }
  describe();
}

startLanguage();
startTheme();
startKeys();
startOptions(() => readAgain(library.files));
startIntake();
startShelf();
startViewer(drawsRegion);
startLines();
startBoxes();
startSearch();
startPanels();
startDownloads();
startGuide();
onLanguage(describe);
library.on("file", (file) => {
  if (fault && file.state === "done") void ask();
});
void ask();
