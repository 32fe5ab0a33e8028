"""The standard categories: what a street lamp, a meter or a lock of any maker can tell and do.

Written from what such devices are; identifiers follow the platform's habit. How their values move over time is in
curves.py, by identifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from console.emulator.things.features import Block, Event, Property, Service
from console.emulator.things.specs import Member, Spec

# --- short ways to write a type


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


# --- and a feature


def _r(identifier: str, name: str, spec: Spec, need: bool = True) -> Property:
    return Property(identifier, name, required=need, custom=False, spec=spec)


def _rw(identifier: str, name: str, spec: Spec, need: bool = True) -> Property:
    return Property(identifier, name, required=need, custom=False, spec=spec, writable=True)


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
_BATTERY = _r("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))
_SIGNAL = _r("SignalStrength", "Signal strength", _int(-130, -30, "dBm", "Decibel milliwatt"), need=False)
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
    """A standard category: its name for people, and the features a product of it starts with."""

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
            _rw("LightStatus", "Lamp", _bool()),
            _rw("LightAdjustLevel", "Brightness", _int(0, 100, "%", "Percentage")),
            _r("LightVolt", "Voltage", _VOLTAGE),
            _r("LightCurrent", "Current", _CURRENT),
            _r("ActivePower", "Power", _float("0", "1000", "0.1", "W", "Watt")),
            _r("PowerRatio", "Power factor", _float("0", "1", "0.01")),
            _r("PowerConsumption", "Energy used", _ENERGY),
            _r("TiltValue", "Tilt of the pole", _int(0, 90, "°", "Degree")),
            _rw("TiltThreshold", "Tilt that alarms", _int(0, 90, "°", "Degree")),
            _rw("OverVoltThreshold", "Voltage that alarms", _int(0, 400, "V", "Volt")),
            _rw("OverTiltEnable", "Tilt alarm enabled", _bool()),
            _r("LampError", "Lamp failure", _ALARM),
            _r("LeakageError", "Leakage current", _ALARM),
            _rw("GeoLocation", "Location", _PLACE),
            _r("LightLux", "Illuminance", _int(0, 65535, "Lux", "Lux"), need=False),
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
            _service("TimeReset", "Set the clock", (Member("TimeReset", "Time", Spec("date")),)),
            _service(
                "SetDimmingPlan", "Set the dimming plan",
                (
                    Member("OnTime", "On at minute of day", _int(0, 1439, "min", "Minute")),
                    Member("OffTime", "Off at minute of day", _int(0, 1439, "min", "Minute")),
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
            _r("TotalActiveEnergy", "Energy in total", _ENERGY),
            _r("Voltage", "Voltage", _VOLTAGE),
            _r("Current", "Current", _CURRENT),
            _r("ActivePower", "Active power", _float("0", "60000", "1", "W", "Watt")),
            _r("PowerFactor", "Power factor", _float("0", "1", "0.01")),
            _r("Frequency", "Frequency", _float("45", "65", "0.01", "Hz", "Hertz")),
            _r("RelayStatus", "Relay", _bool("Open", "Closed")),
            _rw("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
            _rw("OverloadThreshold", "Power that trips", _int(100, 60000, "W", "Watt", 100)),
            _r("PhaseVoltages", "Voltages of the phases", Spec("array", size=3, item=_VOLTAGE), need=False),
            _SIGNAL,
        ),
        (
            _event("OverloadAlarm", "Overload", "alert", Member("ActivePower", "Power", _float("0", "60000", "1", "W", "Watt"))),
            _event("CoverOpened", "Cover opened", "alert", Member("OpenedAt", "Time", Spec("date"))),
            _event("MeteringFault", "Metering fault", "error", Member("FaultCode", "Fault", _int(1, 255))),
        ),
        (
            _service("SwitchRelay", "Switch the relay", (Member("Closed", "Closed", _bool("Open", "Closed")),),
                     (Member("RelayStatus", "Relay", _bool("Open", "Closed")),), sync=True),
            _service("ReadMeter", "Read now", (), (Member("TotalActiveEnergy", "Energy in total", _ENERGY),), sync=True),
        ),
    ),
    "WaterMeter": _category(
        "Water Meter",
        (
            _r("TotalWater", "Water in total", _float("0", "9999999", "0.001", "m³", "Cubic meter", "double")),
            _r("FlowRate", "Flow", _float("0", "50", "0.001", "m³/h", "Cubic meter per hour")),
            _r("WaterTemperature", "Water temperature", _float("0", "90", "0.1", "°C", "Degree Celsius")),
            _r("ValveStatus", "Valve", _enum("Closed", "Open", "Fault")),
            _BATTERY,
            _rw("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
            _SIGNAL,
        ),
        (
            _event("LeakAlarm", "Leak suspected", "alert", Member("FlowRate", "Flow", _float("0", "50", "0.001", "m³/h", "Cubic meter per hour"))),
            _event("LowBattery", "Battery low", "info", Member("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))),
            _event("MagneticTamper", "Magnet detected", "alert", Member("DetectedAt", "Time", Spec("date"))),
        ),
        (
            _service("SetValve", "Move the valve", (Member("Open", "Open", _bool("No", "Yes")),),
                     (Member("ValveStatus", "Valve", _enum("Closed", "Open", "Fault")),), sync=True),
        ),
    ),
    "GasMeter": _category(
        "Gas Meter",
        (
            _r("TotalGas", "Gas in total", _float("0", "9999999", "0.01", "m³", "Cubic meter", "double")),
            _r("FlowRate", "Flow", _float("0", "50", "0.001", "m³/h", "Cubic meter per hour")),
            _r("ValveStatus", "Valve", _enum("Closed", "Open", "Fault")),
            _BATTERY,
            _SIGNAL,
        ),
        (_event("GasLeak", "Gas leak", "error", Member("Concentration", "Concentration", _int(0, 100, "%LEL", "Percent of the lower limit"))),),
        (_service("SetValve", "Move the valve", (Member("Open", "Open", _bool("No", "Yes")),)),),
    ),
    "EnvironmentSensor": _category(
        "Temperature and Humidity Sensor",
        (
            _r("Temperature", "Temperature", _CELSIUS),
            _r("Humidity", "Humidity", _HUMID),
            _r("PM25", "PM2.5", _int(0, 999, "μg/m³", "Microgram per cubic meter"), need=False),
            _BATTERY,
            _rw("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
            _rw("HighTemperature", "Temperature that alarms", _float("-40", "120", "0.5", "°C", "Degree Celsius")),
            _SIGNAL,
        ),
        (
            _event("TemperatureAlarm", "Temperature out of range", "alert", Member("Temperature", "Temperature", _CELSIUS)),
            _event("LowBattery", "Battery low", "info", Member("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))),
            _event("SensorFault", "Sensor fault", "error", Member("FaultCode", "Fault", _int(1, 255))),
        ),
        (
            _service("Calibrate", "Calibrate", (Member("Offset", "Offset", _float("-5", "5", "0.1", "°C", "Degree Celsius")),)),
            _service("ReadNow", "Read now", (), (Member("Temperature", "Temperature", _CELSIUS), Member("Humidity", "Humidity", _HUMID)), sync=True),
        ),
    ),
    "SmokeDetector": _category(
        "Smoke Detector",
        (
            _r("SmokeSensorState", "Smoke", _bool("Normal", "Smoke")),
            _r("SmokeConcentration", "Obscuration", _float("0", "20", "0.01", "%/m", "Percent per meter")),
            _r("DetectorTemperature", "Temperature", _CELSIUS),
            _BATTERY,
            _r("DustLevel", "Dust in the chamber", _int(0, 100, "%", "Percentage"), need=False),
            _rw("Muted", "Muted", _bool()),
            _SIGNAL,
        ),
        (
            _event("SmokeAlarm", "Smoke", "error", Member("SmokeConcentration", "Obscuration", _float("0", "20", "0.01", "%/m", "Percent per meter"))),
            _event("LowBattery", "Battery low", "info", Member("BatteryPercentage", "Battery", _int(0, 100, "%", "Percentage"))),
            _event("SelfTestDone", "Self-test done", "info", Member("Passed", "Passed", _bool("No", "Yes"))),
        ),
        (_service("SelfTest", "Test yourself", (), (Member("Passed", "Passed", _bool("No", "Yes")),), sync=True),
         _service("Silence", "Silence the siren", (Member("Minutes", "Minutes", _int(1, 60, "min", "Minute")),))),
    ),
    "WaterImmersionDetector": _category(
        "Water Immersion Detector",
        (
            _r("WaterLeakState", "Water", _bool("Dry", "Water")),
            _BATTERY,
            _rw("Sensitivity", "Sensitivity", _enum("Low", "Medium", "High")),
            _SIGNAL,
        ),
        (_event("WaterLeakAlarm", "Water found", "alert", Member("DetectedAt", "Time", Spec("date"))),),
        (_service("Silence", "Silence the siren", (Member("Minutes", "Minutes", _int(1, 60, "min", "Minute")),)),),
    ),
    "GeneralGateway": _category(
        "Gateway",
        (
            _r("CpuUsage", "Processor load", _float("0", "100", "0.1", "%", "Percentage")),
            _r("MemoryUsage", "Memory in use", _float("0", "100", "0.1", "%", "Percentage")),
            _r("BoardTemperature", "Board temperature", _CELSIUS),
            _r("OnlineSubDevices", "Sub-devices online", _int(0, 1500)),
            _r("UplinkPackets", "Packets received", _int(0, 2147483647)),
            _r("Uptime", "Running for", _int(0, 2147483647, "s", "Second")),
            _r("LanAddress", "LAN address", _text(64)),
            _rw("HeartbeatInterval", "Heartbeat interval", _int(10, 3600, "s", "Second")),
            _rw("LogLevel", "Log level", _enum("Error", "Warning", "Info", "Debug")),
            _r("Radio", "Radio", _struct(
                Member("Frequency", "Frequency", _float("400", "960", "0.1", "MHz", "Megahertz")),
                Member("SpreadingFactor", "Spreading factor", _int(7, 12)),
            ), need=False),
        ),
        (
            _event("SubDeviceLost", "Sub-device lost", "alert", Member("DeviceName", "Device", _text(64))),
            _event("Rebooted", "Restarted", "info", Member("Reason", "Reason", _enum("Power", "Watchdog", "Command"))),
        ),
        (
            _RESET,
            _service("Ping", "Reach an address", (Member("Host", "Host", _text(128)),),
                     (Member("RoundTrip", "Round trip", _int(0, 60000, "ms", "Millisecond")),), sync=True),
        ),
    ),
    "AirConditioning": _category(
        "Air Conditioner",
        (
            _rw("PowerSwitch", "Power", _bool()),
            _rw("TargetTemperature", "Target temperature", _float("16", "32", "0.5", "°C", "Degree Celsius")),
            _r("CurrentTemperature", "Room temperature", _CELSIUS),
            _rw("WorkMode", "Mode", _enum("Auto", "Cool", "Dry", "Fan", "Heat")),
            _rw("WindSpeed", "Fan", _enum("Auto", "Low", "Medium", "High")),
            _rw("HorizontalSwing", "Swing", _bool()),
            _r("ActivePower", "Power used", _float("0", "5000", "1", "W", "Watt")),
            _r("FilterHours", "Hours of the filter", _int(0, 20000, "h", "Hour"), need=False),
        ),
        (
            _event("Fault", "Fault", "error", Member("ErrorCode", "Code", _enum("None", "Indoor_sensor", "Outdoor_sensor", "Compressor", "Refrigerant"))),
            _event("FilterDirty", "Clean the filter", "info", Member("FilterHours", "Hours", _int(0, 20000, "h", "Hour"))),
        ),
        (_service("ResetFilter", "Filter cleaned"),),
    ),
    "IPCamera": _category(
        "Camera",
        (
            _rw("MicSwitch", "Microphone", _bool()),
            _rw("StreamQuality", "Picture quality", _enum("Smooth", "Standard", "High")),
            _rw("DayNightMode", "Night vision", _enum("Day", "Night", "Auto")),
            _rw("MotionDetectSensitivity", "Motion sensitivity", _int(0, 5)),
            _r("StorageStatus", "Card", _enum("None", "Normal", "Unformatted", "Formatting", "Full")),
            _r("StorageRemain", "Free space", _float("0", "1024", "0.01", "GB", "Gigabyte")),
            _r("BitRate", "Bit rate", _int(0, 20000, "kbit/s", "Kilobit per second")),
        ),
        (
            _event("MotionAlarm", "Motion", "info", Member("AlarmPicId", "Picture", _text(64)), Member("Score", "Score", _int(0, 100))),
            _event("StorageFault", "Card fault", "error", Member("StorageStatus", "Card", _enum("None", "Normal", "Unformatted", "Formatting", "Full"))),
        ),
        (
            _service("TakePicture", "Take a picture", (), (Member("PictureId", "Picture", _text(64)),), sync=True),
            _service("PTZControl", "Turn the camera", (Member("Pan", "Pan", _int(-180, 180, "°", "Degree")), Member("Tilt", "Tilt", _int(-90, 90, "°", "Degree")))),
            _service("FormatStorage", "Format the card"),
        ),
    ),
    "SmartDoorLock": _category(
        "Smart Lock",
        (
            _r("LockState", "Lock", _bool("Unlocked", "Locked")),
            _r("DoorState", "Door", _enum("Closed", "Open", "Ajar")),
            _BATTERY,
            _rw("AutoLock", "Lock by itself", _bool()),
            _rw("Volume", "Volume", _int(0, 3)),
            _r("KeyCount", "Keys", _int(0, 500), need=False),
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
            _rw("PumpSwitch", "Pump", _bool()),
            _rw("TargetPressure", "Target pressure", _float("0", "2.5", "0.01", "MPa", "Megapascal")),
            _r("OutletPressure", "Outlet pressure", _float("0", "2.5", "0.001", "MPa", "Megapascal")),
            _r("FlowRate", "Flow", _float("0", "500", "0.1", "m³/h", "Cubic meter per hour")),
            _r("MotorCurrent", "Motor current", _float("0", "300", "0.1", "A", "Ampere")),
            _r("MotorTemperature", "Motor temperature", _CELSIUS),
            _r("Vibration", "Vibration", _float("0", "50", "0.01", "mm/s", "Millimeter per second")),
            _r("RunningHours", "Running hours", _float("0", "999999", "0.1", "h", "Hour")),
        ),
        (
            _event("DryRun", "Runs dry", "error", Member("FlowRate", "Flow", _float("0", "500", "0.1", "m³/h", "Cubic meter per hour"))),
            _event("Overheat", "Motor overheated", "alert", Member("MotorTemperature", "Temperature", _CELSIUS)),
        ),
        (_service("StartPump", "Start", (Member("PumpSwitch", "Pump", _bool()),)), _service("StopPump", "Stop", (Member("PumpSwitch", "Pump", _bool()),))),
    ),
    "SmartOutlet": _category(
        "Smart Outlet",
        (
            _rw("PowerSwitch", "Power", _bool()),
            _r("ActivePower", "Power used", _float("0", "4000", "0.1", "W", "Watt")),
            _r("Voltage", "Voltage", _VOLTAGE),
            _r("Current", "Current", _CURRENT),
            _r("TotalActiveEnergy", "Energy in total", _ENERGY),
            _rw("ChildLock", "Child lock", _bool()),
        ),
        (_event("OverloadAlarm", "Overload", "alert", Member("ActivePower", "Power", _float("0", "4000", "0.1", "W", "Watt"))),),
        (_service("SetCountdown", "Switch later", (Member("Minutes", "Minutes", _int(1, 1440, "min", "Minute")), Member("PowerSwitch", "Power", _bool()))),),
    ),
    "VehicleLocationCard": _category(
        "Vehicle Location Card",
        (
            _r("GeoLocation", "Location", _PLACE),
            _r("Speed", "Speed", _int(0, 200, "km/h", "Kilometer per hour")),
            _r("Ignition", "Ignition", _bool()),
            _r("Mileage", "Mileage", _float("0", "9999999", "0.1", "km", "Kilometer", "double")),
            _BATTERY,
            _rw("ReportInterval", "Reporting interval", _int(1, 1440, "min", "Minute")),
        ),
        (
            _event("SpeedAlarm", "Too fast", "alert", Member("Speed", "Speed", _int(0, 200, "km/h", "Kilometer per hour"))),
            _event("Collision", "Collision", "error", Member("Force", "Force", _float("0", "50", "0.1", "g", "Acceleration of gravity"))),
        ),
        (_service("Locate", "Where are you", (), (Member("GeoLocation", "Location", _PLACE),), sync=True),),
    ),
    "ElevatorMonitor": _category(
        "Elevator Monitor",
        (
            _r("Floor", "Floor", _int(-5, 120)),
            _r("DoorState", "Door", _enum("Closed", "Open", "Ajar")),
            _r("Vibration", "Vibration", _float("0", "50", "0.01", "mm/s", "Millimeter per second")),
            _r("CabinTemperature", "Cabin temperature", _CELSIUS),
            _r("Trips", "Trips", _int(0, 2147483647)),
            _rw("VibrationThreshold", "Vibration that alarms", _float("0", "50", "0.5", "mm/s", "Millimeter per second")),
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
            _r("ChargeState", "State", _enum("Idle", "Connected", "Charging", "Finished", "Fault")),
            _r("ActivePower", "Power", _float("0", "150000", "1", "W", "Watt")),
            _r("TotalActiveEnergy", "Energy in total", _ENERGY),
            _r("ConnectorTemperature", "Connector temperature", _CELSIUS),
            _rw("MaxCurrent", "Most current", _int(6, 250, "A", "Ampere")),
        ),
        (
            _event("ChargeFinished", "Charging finished", "info", Member("Energy", "Energy", _float("0", "200", "0.01", "kWh", "Kilowatt hour"))),
            _event("ChargeFault", "Charging fault", "error", Member("FaultCode", "Fault", _int(1, 255))),
        ),
        (_service("StopCharging", "Stop charging"),),
    ),
}  # fmt: skip
