"""The standard categories: the features that street lamps, meters, locks and other types of device have.

The features are our own; identifiers follow the style of the platform. curves.py defines how their values change over
time, by identifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from iot_emulator.things.features import Block, Event, Property, Service
from iot_emulator.things.specs import Member, Spec

# --- helpers that define a type


def _int(low: int, high: int, unit: str = "", name: str = "", step: int = 1) -> Spec:
    return Spec("int", Decimal(low), Decimal(high), Decimal(step), unit, name)


def _float(low: str, high: str, step: str, unit: str = "", name: str = "", kind: str = "float") -> Spec:
    return Spec(kind, Decimal(low), Decimal(high), Decimal(step), unit, name)


def _text(length: int) -> Spec:
    return Spec("text", length=length)


def _bool(no: str = "Off", yes: str = "On") -> Spec:
    return Spec("bool", items=((0, no), (1, yes)))


def _enum(*names: str) -> Spec:
    return Spec("enum", items=tuple(enumerate(names)))


def _struct(*members: Member) -> Spec:
    return Spec("struct", members=members)


# --- helpers that define a feature


def _read_only(identifier: str, name: str, spec: Spec, required: bool = True) -> Property:
    return Property(identifier, name, required=required, custom=False, spec=spec)


def _writable(identifier: str, name: str, spec: Spec, required: bool = True) -> Property:
    return Property(identifier, name, required=required, custom=False, spec=spec, writable=True)


def _event(identifier: str, name: str, kind: str, *outputs: Member) -> Event:
    return Event(identifier, name, custom=False, kind=kind, outputs=outputs)


def _service(
    identifier: str,
    name: str,
    inputs: tuple[Member, ...] = (),
    outputs: tuple[Member, ...] = (),
    sync: bool = False,
) -> Service:
    return Service(identifier, name, custom=False, inputs=inputs, outputs=outputs, sync=sync)


_ALARM = _bool("Normal", "Alarm")
_BATTERY = _read_only("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))
_SIGNAL = _read_only(
    "SignalStrength", "Signal strength", _int(-130, -30, "dBm", "Decibel milliwatt"), required=False
)
_VOLTAGE = _float("0", "400", "0.1", "V", "Volt")
_CURRENT = _float("0", "100", "0.01", "A", "Ampere")
_CELSIUS = _float("-40", "120", "0.1", "°C", "Degree Celsius")
_HUMID = _float("0", "100", "0.1", "%", "Percentage")
_RESET = _service("Restart", "Restart")
_PLACE = _struct(
    Member("longitude", "Longitude", _float("-180", "180", "0.000001", "°", "Degree", "double")),
    Member("latitude", "Latitude", _float("-90", "90", "0.000001", "°", "Degree", "double")),
    Member("altitude", "Altitude", _float("0", "9999", "0.01", "m", "Meter", "double")),
    Member("CoordinateSystem", "Coordinate system", Spec("enum", items=((1, "WGS_84"), (2, "GCJ_02")))),
)
_ENERGY = _float("0", "99999999", "0.01", "kWh", "Kilowatt hour", "double")


@dataclass(frozen=True, slots=True)
class Category:
    """A standard category: its display name, and the features that its products start with."""

    name: str
    block: Block


def _category(
    name: str,
    properties: tuple[Property, ...],
    events: tuple[Event, ...] = (),
    services: tuple[Service, ...] = (),
) -> Category:
    return Category(name, Block(properties=properties, services=services, events=events))


CATEGORIES: Mapping[str, Category] = {
    "Lighting": _category(
        "Street Lamp",
        (
            _writable("LightStatus", "Lamp", _bool()),
            _writable("LightAdjustLevel", "Brightness", _int(0, 100, "%", "Percentage")),
            _read_only("LightVolt", "Voltage", _VOLTAGE),
            _read_only("LightCurrent", "Current", _CURRENT),
            _read_only("ActivePower", "Power", _float("0", "1000", "0.1", "W", "Watt")),
            _read_only("PowerRatio", "Power factor", _float("0", "1", "0.01")),
            _read_only("PowerConsumption", "Energy used", _ENERGY),
            _read_only("TiltValue", "Pole tilt", _int(0, 90, "°", "Degree")),
            _writable("TiltThreshold", "Tilt alarm threshold", _int(0, 90, "°", "Degree")),
            _writable("OverVoltThreshold", "Overvoltage threshold", _int(0, 400, "V", "Volt")),
            _writable("OverTiltEnable", "Tilt alarm enabled", _bool()),
            _read_only("LampError", "Lamp failure", _ALARM),
            _read_only("LeakageError", "Leakage current", _ALARM),
            _writable("GeoLocation", "Location", _PLACE),
            _read_only("LightLux", "Illuminance", _int(0, 65535, "Lux", "Lux"), required=False),
        ),
        (
            _event(
                "LampFault", "Lamp fault", "error",
                Member("FaultCode", "Fault", _enum("Lamp_out", "Driver_fault", "Short_circuit")),
                Member("ActivePower", "Power", _float("0", "1000", "0.1", "W", "Watt")),
            ),
            _event("TiltAlarm", "Pole tilted", "alert", Member("TiltValue", "Tilt", _int(0, 90, "°", "Degree"))),
        ),
        (
            _service("TimeReset", "Set clock", (Member("TimeReset", "Time", Spec("date")),)),
            _service(
                "SetDimmingPlan", "Set dimming plan",
                (
                    Member("OnTime", "On time in minutes of day", _int(0, 1439, "min", "Minute")),
                    Member("OffTime", "Off time in minutes of day", _int(0, 1439, "min", "Minute")),
                    Member("LightAdjustLevel", "Brightness", _int(0, 100, "%", "Percentage")),
                ),
                (Member("PlanId", "Plan", _int(1, 999)),), sync=True,
            ),
            _RESET,
        ),
    ),
    "ElectricityMeter": _category(
        "Electricity Meter",
        (
            _read_only("TotalActiveEnergy", "Total energy", _ENERGY),
            _read_only("Voltage", "Voltage", _VOLTAGE),
            _read_only("Current", "Current", _CURRENT),
            _read_only("ActivePower", "Active power", _float("0", "60000", "1", "W", "Watt")),
            _read_only("PowerFactor", "Power factor", _float("0", "1", "0.01")),
            _read_only("Frequency", "Frequency", _float("45", "65", "0.01", "Hz", "Hertz")),
            _read_only("RelayStatus", "Relay", _bool("Open", "Closed")),
            _writable("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
            _writable("OverloadThreshold", "Overload threshold", _int(100, 60000, "W", "Watt", 100)),
            _read_only("PhaseVoltages", "Phase voltages", Spec("array", size=3, item=_VOLTAGE), required=False),
            _SIGNAL,
        ),
        (
            _event("OverloadAlarm", "Overload", "alert", Member("ActivePower", "Power", _float("0", "60000", "1", "W", "Watt"))),
            _event("CoverOpened", "Cover opened", "alert", Member("OpenedAt", "Time", Spec("date"))),
            _event("MeteringFault", "Metering fault", "error", Member("FaultCode", "Fault", _int(1, 255))),
        ),
        (
            _service("SwitchRelay", "Switch relay", (Member("Closed", "Closed", _bool("Open", "Closed")),),
                     (Member("RelayStatus", "Relay", _bool("Open", "Closed")),), sync=True),
            _service("ReadMeter", "Read values now", (), (Member("TotalActiveEnergy", "Total energy", _ENERGY),), sync=True),
        ),
    ),
    "WaterMeter": _category(
        "Water Meter",
        (
            _read_only("TotalWater", "Total water", _float("0", "9999999", "0.001", "m³", "Cubic meter", "double")),
            _read_only("FlowRate", "Flow", _float("0", "50", "0.001", "m³/h", "Cubic meter per hour")),
            _read_only("WaterTemperature", "Water temperature", _float("0", "90", "0.1", "°C", "Degree Celsius")),
            _read_only("ValveStatus", "Valve", _enum("Closed", "Open", "Fault")),
            _BATTERY,
            _writable("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
            _SIGNAL,
        ),
        (
            _event("LeakAlarm", "Leak suspected", "alert", Member("FlowRate", "Flow", _float("0", "50", "0.001", "m³/h", "Cubic meter per hour"))),
            _event("LowBattery", "Battery low", "info", Member("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))),
            _event("MagneticTamper", "Magnet detected", "alert", Member("DetectedAt", "Time", Spec("date"))),
        ),
        (
            _service("SetValve", "Set valve", (Member("Open", "Open", _bool("No", "Yes")),),
                     (Member("ValveStatus", "Valve", _enum("Closed", "Open", "Fault")),), sync=True),
        ),
    ),
    "GasMeter": _category(
        "Gas Meter",
        (
            _read_only("TotalGas", "Total gas", _float("0", "9999999", "0.01", "m³", "Cubic meter", "double")),
            _read_only("FlowRate", "Flow", _float("0", "50", "0.001", "m³/h", "Cubic meter per hour")),
            _read_only("ValveStatus", "Valve", _enum("Closed", "Open", "Fault")),
            _BATTERY,
            _SIGNAL,
        ),
        (_event("GasLeak", "Gas leak", "error", Member("Concentration", "Concentration", _int(0, 100, "%LEL", "Percent of lower explosive limit"))),),
        (_service("SetValve", "Set valve", (Member("Open", "Open", _bool("No", "Yes")),)),),
    ),
    "EnvironmentSensor": _category(
        "Temperature and Humidity Sensor",
        (
            _read_only("Temperature", "Temperature", _CELSIUS),
            _read_only("Humidity", "Humidity", _HUMID),
            _read_only("PM25", "PM2.5", _int(0, 999, "μg/m³", "Microgram per cubic meter"), required=False),
            _BATTERY,
            _writable("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
            _writable("HighTemperature", "High temperature threshold", _float("-40", "120", "0.5", "°C", "Degree Celsius")),
            _SIGNAL,
        ),
        (
            _event("TemperatureAlarm", "Temperature out of range", "alert", Member("Temperature", "Temperature", _CELSIUS)),
            _event("LowBattery", "Battery low", "info", Member("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))),
            _event("SensorFault", "Sensor fault", "error", Member("FaultCode", "Fault", _int(1, 255))),
        ),
        (
            _service("Calibrate", "Calibrate", (Member("Offset", "Offset", _float("-5", "5", "0.1", "°C", "Degree Celsius")),)),
            _service("ReadNow", "Read values now", (), (Member("Temperature", "Temperature", _CELSIUS), Member("Humidity", "Humidity", _HUMID)), sync=True),
        ),
    ),
    "SmokeDetector": _category(
        "Smoke Detector",
        (
            _read_only("SmokeSensorState", "Smoke", _bool("Normal", "Smoke")),
            _read_only("SmokeConcentration", "Obscuration", _float("0", "20", "0.01", "%/m", "Percent per meter")),
            _read_only("DetectorTemperature", "Temperature", _CELSIUS),
            _BATTERY,
            _read_only("DustLevel", "Chamber dust", _int(0, 100, "%", "Percentage"), required=False),
            _writable("Muted", "Muted", _bool()),
            _SIGNAL,
        ),
        (
            _event("SmokeAlarm", "Smoke", "error", Member("SmokeConcentration", "Obscuration", _float("0", "20", "0.01", "%/m", "Percent per meter"))),
            _event("LowBattery", "Battery low", "info", Member("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))),
            _event("SelfTestDone", "Self-test done", "info", Member("Passed", "Passed", _bool("No", "Yes"))),
        ),
        (_service("SelfTest", "Run self-test", (), (Member("Passed", "Passed", _bool("No", "Yes")),), sync=True),
         _service("Silence", "Silence siren", (Member("Minutes", "Minutes", _int(1, 60, "min", "Minute")),))),
    ),
    "WaterImmersionDetector": _category(
        "Water Immersion Detector",
        (
            _read_only("WaterLeakState", "Water", _bool("Dry", "Water")),
            _BATTERY,
            _writable("Sensitivity", "Sensitivity", _enum("Low", "Medium", "High")),
            _SIGNAL,
        ),
        (_event("WaterLeakAlarm", "Water detected", "alert", Member("DetectedAt", "Time", Spec("date"))),),
        (_service("Silence", "Silence siren", (Member("Minutes", "Minutes", _int(1, 60, "min", "Minute")),)),),
    ),
    "GeneralGateway": _category(
        "Gateway",
        (
            _read_only("CpuUsage", "Processor load", _float("0", "100", "0.1", "%", "Percentage")),
            _read_only("MemoryUsage", "Memory in use", _float("0", "100", "0.1", "%", "Percentage")),
            _read_only("BoardTemperature", "Board temperature", _CELSIUS),
            _read_only("OnlineSubDevices", "Sub-devices online", _int(0, 1500)),
            _read_only("UplinkPackets", "Packets received", _int(0, 2147483647)),
            _read_only("Uptime", "Uptime", _int(0, 2147483647, "s", "Second")),
            _read_only("LanAddress", "LAN address", _text(64)),
            _writable("HeartbeatInterval", "Heartbeat interval", _int(10, 3600, "s", "Second")),
            _writable("LogLevel", "Log level", _enum("Error", "Warning", "Info", "Debug")),
            _read_only("Radio", "Radio", _struct(
                Member("Frequency", "Frequency", _float("400", "960", "0.1", "MHz", "Megahertz")),
                Member("SpreadingFactor", "Spreading factor", _int(7, 12)),
            ), required=False),
        ),
        (
            _event("SubDeviceLost", "Sub-device lost", "alert", Member("DeviceName", "Device", _text(64))),
            _event("Rebooted", "Restarted", "info", Member("Reason", "Reason", _enum("Power", "Watchdog", "Command"))),
        ),
        (
            _RESET,
            _service("Ping", "Ping an address", (Member("Host", "Host", _text(128)),),
                     (Member("RoundTrip", "Round trip", _int(0, 60000, "ms", "Millisecond")),), sync=True),
        ),
    ),
    "AirConditioning": _category(
        "Air Conditioner",
        (
            _writable("PowerSwitch", "Power", _bool()),
            _writable("TargetTemperature", "Target temperature", _float("16", "32", "0.5", "°C", "Degree Celsius")),
            _read_only("CurrentTemperature", "Room temperature", _CELSIUS),
            _writable("WorkMode", "Mode", _enum("Auto", "Cool", "Dry", "Fan", "Heat")),
            _writable("WindSpeed", "Fan", _enum("Auto", "Low", "Medium", "High")),
            _writable("HorizontalSwing", "Swing", _bool()),
            _read_only("ActivePower", "Power used", _float("0", "5000", "1", "W", "Watt")),
            _read_only("FilterHours", "Filter hours", _int(0, 20000, "h", "Hour"), required=False),
        ),
        (
            _event("Fault", "Fault", "error", Member("ErrorCode", "Code", _enum("None", "Indoor_sensor", "Outdoor_sensor", "Compressor", "Refrigerant"))),
            _event("FilterDirty", "Filter dirty", "info", Member("FilterHours", "Hours", _int(0, 20000, "h", "Hour"))),
        ),
        (_service("ResetFilter", "Reset filter hours"),),
    ),
    "IPCamera": _category(
        "Camera",
        (
            _writable("MicSwitch", "Microphone", _bool()),
            _writable("StreamQuality", "Picture quality", _enum("Smooth", "Standard", "High")),
            _writable("DayNightMode", "Night vision", _enum("Day", "Night", "Auto")),
            _writable("MotionDetectSensitivity", "Motion sensitivity", _int(0, 5)),
            _read_only("StorageStatus", "Card", _enum("None", "Normal", "Unformatted", "Formatting", "Full")),
            _read_only("StorageRemain", "Free space", _float("0", "1024", "0.01", "GB", "Gigabyte")),
            _read_only("BitRate", "Bit rate", _int(0, 20000, "kbit/s", "Kilobit per second")),
        ),
        (
            _event("MotionAlarm", "Motion", "info", Member("AlarmPicId", "Picture", _text(64)), Member("Score", "Score", _int(0, 100))),
            _event("StorageFault", "Card fault", "error", Member("StorageStatus", "Card", _enum("None", "Normal", "Unformatted", "Formatting", "Full"))),
        ),
        (
            _service("TakePicture", "Take picture", (), (Member("PictureId", "Picture", _text(64)),), sync=True),
            _service("PTZControl", "Move camera", (Member("Pan", "Pan", _int(-180, 180, "°", "Degree")), Member("Tilt", "Tilt", _int(-90, 90, "°", "Degree")))),
            _service("FormatStorage", "Format card"),
        ),
    ),
    "SmartDoorLock": _category(
        "Smart Lock",
        (
            _read_only("LockState", "Lock", _bool("Unlocked", "Locked")),
            _read_only("DoorState", "Door", _enum("Closed", "Open", "Ajar")),
            _BATTERY,
            _writable("AutoLock", "Auto lock", _bool()),
            _writable("Volume", "Volume", _int(0, 3)),
            _read_only("KeyCount", "Keys", _int(0, 500), required=False),
        ),
        (
            _event("DoorUnlocked", "Unlocked", "info", Member("KeyId", "Key", _text(16)),
                   Member("LockType", "By", _enum("Fingerprint", "Password", "Card", "Mechanical", "Remote"))),
            _event("TamperAlarm", "Tampering", "alert", Member("Kind", "Kind", _enum("Pried", "Wrong_code", "Forced_open"))),
        ),
        (
            _service("RemoteUnlock", "Unlock", (Member("Seconds", "Open for", _int(1, 60, "s", "Second")),),
                     (Member("LockState", "Lock", _bool("Unlocked", "Locked")),), sync=True),
            _service("AddKey", "Add a key", (Member("KeyId", "Key", _text(16)), Member("ValidUntil", "Valid until", Spec("date")))),
        ),
    ),
    "WaterPump": _category(
        "Pump",
        (
            _writable("PumpSwitch", "Pump", _bool()),
            _writable("TargetPressure", "Target pressure", _float("0", "2.5", "0.01", "MPa", "Megapascal")),
            _read_only("OutletPressure", "Outlet pressure", _float("0", "2.5", "0.001", "MPa", "Megapascal")),
            _read_only("FlowRate", "Flow", _float("0", "500", "0.1", "m³/h", "Cubic meter per hour")),
            _read_only("MotorCurrent", "Motor current", _float("0", "300", "0.1", "A", "Ampere")),
            _read_only("MotorTemperature", "Motor temperature", _CELSIUS),
            _read_only("Vibration", "Vibration", _float("0", "50", "0.01", "mm/s", "Millimeter per second")),
            _read_only("RunningHours", "Running hours", _float("0", "999999", "0.1", "h", "Hour")),
        ),
        (
            _event("DryRun", "Dry run", "error", Member("FlowRate", "Flow", _float("0", "500", "0.1", "m³/h", "Cubic meter per hour"))),
            _event("Overheat", "Motor overheated", "alert", Member("MotorTemperature", "Temperature", _CELSIUS)),
        ),
        (_service("StartPump", "Start", (Member("PumpSwitch", "Pump", _bool()),)), _service("StopPump", "Stop", (Member("PumpSwitch", "Pump", _bool()),))),
    ),
    "SmartOutlet": _category(
        "Smart Outlet",
        (
            _writable("PowerSwitch", "Power", _bool()),
            _read_only("ActivePower", "Power used", _float("0", "4000", "0.1", "W", "Watt")),
            _read_only("Voltage", "Voltage", _VOLTAGE),
            _read_only("Current", "Current", _CURRENT),
            _read_only("TotalActiveEnergy", "Total energy", _ENERGY),
            _writable("ChildLock", "Child lock", _bool()),
        ),
        (_event("OverloadAlarm", "Overload", "alert", Member("ActivePower", "Power", _float("0", "4000", "0.1", "W", "Watt"))),),
        (_service("SetCountdown", "Set countdown", (Member("Minutes", "Minutes", _int(1, 1440, "min", "Minute")), Member("PowerSwitch", "Power", _bool()))),),
    ),
    "VehicleLocationCard": _category(
        "Vehicle Location Card",
        (
            _read_only("GeoLocation", "Location", _PLACE),
            _read_only("Speed", "Speed", _int(0, 200, "km/h", "Kilometer per hour")),
            _read_only("Ignition", "Ignition", _bool()),
            _read_only("Mileage", "Mileage", _float("0", "9999999", "0.1", "km", "Kilometer", "double")),
            _BATTERY,
            _writable("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
        ),
        (
            _event("SpeedAlarm", "Overspeed", "alert", Member("Speed", "Speed", _int(0, 200, "km/h", "Kilometer per hour"))),
            _event("Collision", "Collision", "error", Member("Force", "Force", _float("0", "50", "0.1", "g", "Acceleration of gravity"))),
        ),
        (_service("Locate", "Report location", (), (Member("GeoLocation", "Location", _PLACE),), sync=True),),
    ),
    "ElevatorMonitor": _category(
        "Elevator Monitor",
        (
            _read_only("Floor", "Floor", _int(-5, 120)),
            _read_only("DoorState", "Door", _enum("Closed", "Open", "Ajar")),
            _read_only("Vibration", "Vibration", _float("0", "50", "0.01", "mm/s", "Millimeter per second")),
            _read_only("CabinTemperature", "Cabin temperature", _CELSIUS),
            _read_only("Trips", "Trips", _int(0, 2147483647)),
            _writable("VibrationThreshold", "Vibration threshold", _float("0", "50", "0.5", "mm/s", "Millimeter per second")),
        ),
        (
            _event("Stuck", "Stuck", "error", Member("Floor", "Floor", _int(-5, 120)), Member("People", "People inside", _bool("No", "Yes"))),
            _event("RoughRide", "Rough ride", "alert", Member("Vibration", "Vibration", _float("0", "50", "0.01", "mm/s", "Millimeter per second"))),
        ),
        (_RESET,),
    ),
    "EVCharger": _category(
        "Charging Pile",
        (
            _read_only("ChargeState", "State", _enum("Idle", "Connected", "Charging", "Finished", "Fault")),
            _read_only("ActivePower", "Power", _float("0", "150000", "1", "W", "Watt")),
            _read_only("TotalActiveEnergy", "Total energy", _ENERGY),
            _read_only("ConnectorTemperature", "Connector temperature", _CELSIUS),
            _writable("MaxCurrent", "Maximum current", _int(6, 250, "A", "Ampere")),
        ),
        (
            _event("ChargeFinished", "Charging finished", "info", Member("Energy", "Energy", _float("0", "200", "0.01", "kWh", "Kilowatt hour"))),
            _event("ChargeFault", "Charging fault", "error", Member("FaultCode", "Fault", _int(1, 255))),
        ),
        (_service("StopCharging", "Stop charging"),),
    ),
}  # fmt: skip
