import sys

from iot_emulator.command_line import main

sys.exit(main(sys.argv[1:]))
