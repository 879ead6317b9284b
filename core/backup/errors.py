"""What can go wrong with a backup, in words for whoever runs HMS. None of them says anything of anybody."""


class BackupTrouble(Exception):
    """It can't be done; the message says why and what helps."""


class Damaged(BackupTrouble):
    """The backup isn't as it was written, or isn't one."""


class WrongKey(BackupTrouble):
    """No key of this installation opens the backup."""
