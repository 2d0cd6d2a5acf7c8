import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { Button } from "./Button";
import { cx } from "./cx";
import styles from "./Dialog.module.css";

export interface DialogProps {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  /** Buttons, the one that does it last. */
  footer?: ReactNode;
  wide?: boolean;
  /** Something is lost by it: announced as an alert, and a click beside it does not close it. */
  alert?: boolean;
}

/** A modal. Escape closes it, focus stays inside and goes back to where it was. */
export function Dialog({ title, open, onClose, children, footer, wide, alert }: DialogProps) {
  return (
    <ModalOverlay
      className={styles.scrim ?? ""}
      isOpen={open}
      onOpenChange={(now) => !now && onClose()}
      isDismissable={!alert}
    >
      <Modal className={cx(styles.modal, wide && styles.wide)}>
        <AriaDialog role={alert ? "alertdialog" : "dialog"} className={styles.dialog ?? ""}>
          <Heading slot="title" className={styles.title ?? ""}>
            {title}
          </Heading>
          <div className={styles.body}>{children}</div>
          {footer && <div className={styles.footer}>{footer}</div>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

/** Asks before something that cannot be taken back; says what will happen. */
export function ConfirmDialog(props: {
  title: string;
  open: boolean;
  onClose: () => void;
  onConfirm: () => void;
  confirm: string;
  danger?: boolean;
  children: ReactNode;
}) {
  return (
    <Dialog
      title={props.title}
      open={props.open}
      onClose={props.onClose}
      alert
      footer={
        <>
          <Button onPress={props.onClose} autoFocus>
            Cancel
          </Button>
          <Button
            look={props.danger ? "danger" : "primary"}
            onPress={() => {
              props.onClose();
              props.onConfirm();
            }}
          >
            {props.confirm}
          </Button>
        </>
      }
    >
      {props.children}
    </Dialog>
  );
}
