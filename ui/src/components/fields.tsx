import { ChevronDown } from "lucide-react";
import type { ReactNode } from "react";
import {
  NumberField as AriaNumberField,
  type NumberFieldProps as AriaNumberProps,
  Select as AriaSelect,
  Switch as AriaSwitch,
  TextField as AriaTextField,
  type TextFieldProps as AriaTextProps,
  Button,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
  Text,
  TextArea,
} from "react-aria-components";
import { cx } from "./cx";
import styles from "./fields.module.css";

interface FieldWords {
  label: string;
  /** What it means, below the field. */
  help?: ReactNode;
  /** What is wrong with it, in words. */
  error?: string | null | undefined;
  /** The label is for screen readers only. */
  labelHidden?: boolean;
}

function Help({ help, error }: FieldWords) {
  return (
    <>
      {help && (
        <Text slot="description" className={styles.help ?? ""}>
          {help}
        </Text>
      )}
      <FieldError className={styles.error ?? ""}>{error ?? undefined}</FieldError>
    </>
  );
}

function FieldLabel({ label, labelHidden }: FieldWords) {
  return <Label className={labelHidden ? "hidden-words" : (styles.label ?? "")}>{label}</Label>;
}

export interface TextFieldProps
  extends FieldWords,
    Omit<AriaTextProps, "children" | "className" | "style"> {
  placeholder?: string;
  /** A field of so many lines instead of one. */
  rows?: number;
  /** Code, paths and commands. */
  mono?: boolean;
  /** Stands before the text. */
  before?: ReactNode;
  inputRef?: React.Ref<HTMLInputElement & HTMLTextAreaElement>;
}

export function TextField(all: TextFieldProps) {
  const { label, help, error, labelHidden, placeholder, rows, mono, before, inputRef, ...props } =
    all;
  const className = cx(styles.input, mono && styles.mono);
  return (
    <AriaTextField {...props} isInvalid={Boolean(error)} className={styles.field ?? ""}>
      <FieldLabel label={label} labelHidden={labelHidden ?? false} />
      {rows ? (
        <TextArea ref={inputRef} className={className} rows={rows} placeholder={placeholder} />
      ) : (
        <span className={styles.wrap}>
          {before && <span className={styles.before}>{before}</span>}
          <Input
            ref={inputRef}
            className={cx(className, Boolean(before) && styles.withBefore)}
            placeholder={placeholder}
          />
        </span>
      )}
      <Help label={label} help={help} error={error} />
    </AriaTextField>
  );
}

export interface NumberFieldProps
  extends FieldWords,
    Omit<AriaNumberProps, "children" | "className" | "style"> {
  /** Stands behind the number: `min`, `USD`. */
  unit?: string;
  placeholder?: string;
}

export function NumberField(all: NumberFieldProps) {
  const { label, help, error, labelHidden, unit, placeholder, ...props } = all;
  return (
    <AriaNumberField {...props} isInvalid={Boolean(error)} className={styles.field ?? ""}>
      <FieldLabel label={label} labelHidden={labelHidden ?? false} />
      <span className={styles.wrap}>
        <Input className={cx(styles.input, unit && styles.withUnit)} placeholder={placeholder} />
        {unit && <span className={styles.unit}>{unit}</span>}
      </span>
      <Help label={label} help={help} error={error} />
    </AriaNumberField>
  );
}

export interface Option {
  id: string;
  label: string;
  /** What choosing it does. */
  detail?: string;
}

export interface SelectProps extends FieldWords {
  options: readonly Option[];
  value: string | null;
  onChange: (id: string) => void;
  placeholder?: string;
  isDisabled?: boolean;
}

export function Select(all: SelectProps) {
  const { label, help, error, labelHidden, options, value, onChange, placeholder, ...props } = all;
  return (
    <AriaSelect
      {...props}
      value={value}
      onChange={(key) => key !== null && onChange(String(key))}
      isInvalid={Boolean(error)}
      placeholder={placeholder ?? "Choose…"}
      className={styles.field ?? ""}
    >
      <FieldLabel label={label} labelHidden={labelHidden ?? false} />
      <Button className={styles.select ?? ""}>
        <SelectValue className={styles.selected ?? ""}>
          {({ selectedText, defaultChildren }) => selectedText || defaultChildren}
        </SelectValue>
        <ChevronDown size={16} aria-hidden="true" />
      </Button>
      <Help label={label} help={help} error={error} />
      <Popover className={styles.popover ?? ""} offset={4}>
        <ListBox className={styles.list ?? ""}>
          {options.map((option) => (
            <ListBoxItem
              key={option.id}
              id={option.id}
              textValue={option.label}
              className={styles.option ?? ""}
            >
              <Text slot="label">{option.label}</Text>
              {option.detail && (
                <Text slot="description" className={styles.help ?? ""}>
                  {option.detail}
                </Text>
              )}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

export function Switch(props: {
  label: string;
  on: boolean;
  onChange: (on: boolean) => void;
  help?: ReactNode;
  isDisabled?: boolean;
}) {
  return (
    <div className={styles.field}>
      <AriaSwitch
        isSelected={props.on}
        onChange={props.onChange}
        isDisabled={props.isDisabled ?? false}
        className={styles.switch ?? ""}
      >
        <span className={styles.track} aria-hidden="true" />
        {props.label}
      </AriaSwitch>
      {props.help && <div className={styles.help}>{props.help}</div>}
    </div>
  );
}

/** A labelled place for something that is not one of the fields above. */
export function Field(props: FieldWords & { children: ReactNode }) {
  return (
    <fieldset className={styles.group}>
      <legend className={props.labelHidden ? "hidden-words" : styles.label}>{props.label}</legend>
      {props.children}
      {props.help && <div className={styles.help}>{props.help}</div>}
      {props.error && <div className={styles.error}>{props.error}</div>}
    </fieldset>
  );
}
