import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { IconButton } from "../../components/Button";
import { ConfirmDialog } from "../../components/Dialog";
import { NumberField, Select, Switch, TextField } from "../../components/fields";
import { Notice } from "../../components/states";
import type { Json, Setting } from "../../ipc/bindings";
import { count } from "../../lib/numbers";
import { duration } from "../../lib/time";
import { useCallMutation } from "../../queries/call";
import { announce } from "../../stores/announcer";
import styles from "./settings.module.css";

const MS: Record<string, number> = { s: 1000, ms: 1 };

/** A value in words: `4 h` says more than 14400 s. */
export function valueWords(setting: Setting, value: Json): string {
  const { kind } = setting;
  if (kind.type === "flag") return value === true ? "on" : "off";
  if (kind.type === "choice") return kind.choices.find((c) => c.id === value)?.label ?? `${value}`;
  if (kind.type === "number" && typeof value === "number") {
    const ms = MS[kind.unit];
    return ms ? duration(value * ms) : `${count(value)} ${kind.unit}`.trim();
  }
  return value === null || value === "" ? "nothing" : `${value}`;
}

/** One setting: its value, what it does, and the way back to the default. */
export function SettingField({ setting }: { setting: Setting }) {
  const [asked, setAsked] = useState<{ value: Json } | null>(null);
  const change = useCallMutation("setting", {
    onDone: (now) => announce(`${now.title}: ${valueWords(now, now.value)}`),
  });
  const set = (value: Json) => {
    if (value === setting.value) return;
    // The way back to the default is never dangerous.
    const risky = setting.dangerous !== null && value !== null && value !== setting.default;
    if (risky) setAsked({ value });
    else change.mutate({ name: setting.name, value });
  };
  const changed = setting.value !== setting.default;
  const shown = change.isPending ? (change.variables?.value ?? setting.default) : setting.value;
  return (
    <li className={styles.setting}>
      <div className={styles.field}>
        <Input
          // A value that was refused, or changed elsewhere, is shown as it really is.
          key={JSON.stringify(setting.value) + (change.isError ? change.submittedAt : "")}
          setting={setting}
          value={shown}
          onChange={set}
        />
        {setting.dangerous && changed && <Notice tone="warn">{setting.dangerous}</Notice>}
        {change.error && (
          <Notice tone="bad" title={change.error.message}>
            {change.error.hint}
          </Notice>
        )}
      </div>
      {changed && (
        <IconButton
          label={`Back to the default of “${setting.title}”: ${valueWords(setting, setting.default)}`}
          icon={<RotateCcw />}
          onPress={() => set(null)}
        />
      )}
      <ConfirmDialog
        title={`${setting.title}: ${valueWords(setting, asked?.value ?? null)}?`}
        open={asked !== null}
        onClose={() => setAsked(null)}
        onConfirm={() => asked && change.mutate({ name: setting.name, value: asked.value })}
        confirm="Change it"
        danger
      >
        {setting.dangerous}
      </ConfirmDialog>
    </li>
  );
}

function Input(props: { setting: Setting; value: Json; onChange: (value: Json) => void }) {
  const { setting, value, onChange } = props;
  const { kind, title, help } = setting;
  switch (kind.type) {
    case "flag":
      return <Switch label={title} help={help} on={value === true} onChange={onChange} />;
    case "choice":
      return (
        <Select
          label={title}
          help={
            <>
              {help} {kind.choices.find((choice) => choice.id === value)?.effect}
            </>
          }
          options={kind.choices.map(({ id, label, effect }) => ({ id, label, detail: effect }))}
          value={typeof value === "string" ? value : null}
          onChange={onChange}
        />
      );
    case "number":
      return <NumberInput {...props} unit={kind.unit} min={kind.min} max={kind.max} />;
    case "text":
      return <TextInput {...props} />;
  }
}

function NumberInput(props: {
  setting: Setting;
  value: Json;
  onChange: (value: Json) => void;
  unit: string;
  min: number;
  max: number;
}) {
  const { setting, value, unit } = props;
  const [draft, setDraft] = useState(typeof value === "number" ? value : Number.NaN);
  const ms = MS[unit];
  return (
    <NumberField
      label={setting.title}
      help={
        ms && draft * ms >= 10_000
          ? `${setting.help} That is ${duration(draft * ms)}.`
          : setting.help
      }
      unit={unit}
      minValue={props.min}
      maxValue={props.max}
      value={draft}
      onChange={(now) => {
        // The field reports on Enter and on leaving it, not while one types.
        setDraft(now);
        props.onChange(Number.isNaN(now) ? null : now);
      }}
    />
  );
}

function TextInput(props: { setting: Setting; value: Json; onChange: (value: Json) => void }) {
  const { setting } = props;
  const [draft, setDraft] = useState(typeof props.value === "string" ? props.value : "");
  const send = () => props.onChange(draft.trim() === "" ? null : draft.trim());
  return (
    <TextField
      label={setting.title}
      help={setting.help}
      value={draft}
      onChange={setDraft}
      onBlur={send}
      onKeyDown={(event) => event.key === "Enter" && send()}
      mono
    />
  );
}
