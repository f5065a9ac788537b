// What every page runs.

import htmx from "htmx.org";
import { startDialogs } from "./dialogs.js";
import { startFeed } from "./feed.js";
import { startShortcuts } from "./shortcuts.js";
import { startTabs } from "./tabs.js";
import { startTheme } from "./theme.js";
import { keepTimesFresh } from "./time.js";
import { startToasts, toast } from "./toast.js";
import { say } from "./words.js";
import { startWork } from "./work.js";

window.htmx = htmx;
startTheme();
startDialogs();
startToasts();
startShortcuts();
startTabs();
keepTimesFresh();
startFeed();
startWork();
for (const failure of ["htmx:responseError", "htmx:sendError"]) document.body.addEventListener(failure, () => toast(say("failed"), "bad"));
