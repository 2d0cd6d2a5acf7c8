import type { ActionDef, ActionGroup } from "../../actions/action";
import { actionIds } from "../../actions/catalog";
import { definitionOf } from "../../actions/registry";
import { Dialog } from "../../components/Dialog";
import { KeyHint } from "../../components/KeyHint";
import { showOverlay, useOverlay } from "../../stores/overlays";
import styles from "./HelpSheet.module.css";

function groups(): [ActionGroup, ActionDef[]][] {
  const found = new Map<ActionGroup, ActionDef[]>();
  for (const id of actionIds) {
    const def = definitionOf(id);
    if (def.keys) found.set(def.group, [...(found.get(def.group) ?? []), def]);
  }
  return [...found];
}

/** Every shortcut there is, made from the registry. */
export function HelpSheet() {
  const open = useOverlay((s) => s.overlay === "help");
  return (
    <Dialog title="Keyboard shortcuts" open={open} onClose={() => showOverlay(null)} wide>
      <div className={styles.groups}>
        {groups().map(([group, actions]) => (
          <section key={group} className={styles.group}>
            <h3>{group}</h3>
            <dl>
              {actions.map((def) => (
                <div key={def.title} className={styles.row}>
                  <dt>{def.title}</dt>
                  <dd>
                    {def.keys?.map((keys) => (
                      <span key={keys}>
                        <span className="hidden-words">{keys}</span>
                        <KeyHint keys={keys} />
                      </span>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
