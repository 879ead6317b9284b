"""An entry of the schedule that is due each minute, for a crew's clocks (HMS_JOB_MODULES)."""

from core.jobs.schedule import SCHEDULE, Crontab, Entry

SCHEDULE.append(Entry("test.scheduled", Crontab("* * * * *")))
