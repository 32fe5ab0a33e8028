"""The audit trail: its records, the hash chain that protects them, how long they are kept, and the counts of reads."""
