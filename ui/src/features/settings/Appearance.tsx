import { Keyboard } from "lucide-react";
import { runAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { Select, Switch } from "../../components/fields";
import { Section } from "../../components/Page";
import { setTheme, type Theme, toggleRail, useAppearance } from "../../stores/appearance";
import styles from "./settings.module.css";

const THEMES: { id: Theme; label: string; detail: string }[] = [
  { id: "system", label: "Like the system", detail: "Light by day and dark by night, if it is so" },
  { id: "light", label: "Light", detail: "Always" },
  { id: "dark", label: "Dark", detail: "Always" },
];

/** How this window looks; kept in this window, not by the daemon. */
export function Appearance() {
  const { theme, railSmall } = useAppearance();
  return (
    <Section title="Appearance and shortcuts">
      <ul className={styles.list}>
        <li className={styles.setting}>
          <div className={styles.field}>
            <Select
              label="Colours"
              help="For this window on this machine."
              options={THEMES}
              value={theme}
              onChange={(id) => setTheme(id as Theme)}
            />
          </div>
        </li>
        <li className={styles.setting}>
          <div className={styles.field}>
            <Switch
              label="Sidebar with icons only"
              on={railSmall}
              onChange={toggleRail}
              help="In a narrow window it is always so."
            />
          </div>
        </li>
        <li className={styles.setting}>
          <div className={styles.field}>
            <p>Everything can be done by keyboard. Text size follows the system and the zoom.</p>
            <div>
              <Button icon={<Keyboard />} keys="?" onPress={() => runAction("app.help")}>
                Show all shortcuts
              </Button>
            </div>
          </div>
        </li>
      </ul>
    </Section>
  );
}
