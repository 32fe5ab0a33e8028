"""The sample company: its products, the places of its devices, and its firmware releases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """A firmware version, released `days` ago; `share` is the fraction of active devices that have it."""

    version: str
    days: int
    share: float


@dataclass(frozen=True, slots=True)
class Model:
    """A product. `share` is its fraction of the fleet; devices.py names devices by `name_pattern` and `nickname_patterns`."""

    code: str
    name: str
    description: str
    share: float
    node_type: int
    net_type: str
    category_key: str
    category_name: str
    name_pattern: str
    nickname_patterns: tuple[str, ...]
    releases: tuple[Release, ...]
    tags: tuple[tuple[str, str], ...] = ()
    protocol_type: str = ""
    published: bool = True
    days: int = 720
    module: str = ""
    module_alias: str = ""


GATEWAY, SENSOR, METER, WATER, LIGHT, LIFT = "gateway", "sensor", "meter", "water", "light", "lift"

# Gateways come first: sensors are attached to them.
MODELS = (
    Model(
        GATEWAY, "LoRa_Gateway_LG8", "8-channel outdoor LoRa gateway with PoE", 0.045, 1, "ETHERNET",
        "GeneralGateway", "Gateway", "LG8-{year}{week}-{n:05}",
        ("{district}机房网关{k}", "{site}_Rooftop_GW{k}", "{district}_Gateway_{k}"),
        (Release("3.0.2", 700, 0.1), Release("3.1.0", 310, 0.6), Release("3.2.0", 40, 0.3)),
        (("line", "infrastructure"), ("power", "PoE")), module="lora-radio", module_alias="LoRa_radio",
    ),
    Model(
        SENSOR, "Environment_Sensor_TH5", "Temperature, humidity and PM2.5, LoRa", 0.18, 0, "OTHER",
        "EnvironmentSensor", "Environment sensor", "TH5-{hex}",
        ("{site}_{floor}层温湿度{k}", "{site}_F{floor}_Sensor_{k}", ""),
        (Release("1.0.7", 690, 0.2), Release("1.1.4", 380, 0.5), Release("1.2.0", 95, 0.3)),
        (("line", "environment"), ("battery", "yes")), protocol_type="customize",
    ),
    Model(
        METER, "Smart_Meter_DDS720", "Single-phase electricity meter, NB-IoT", 0.45, 0, "CELLULAR",
        "ElectricityMeter", "Electricity meter", "DDS720-{year}{week}-{n:06}",
        ("{site}{building}幢{unit}单元{floor}0{door}室", "{site}_Bldg{building}_Unit{unit}_{floor}0{door}", ""),
        (
            Release("1.2.0", 720, 0.08), Release("1.4.3", 480, 0.22), Release("2.0.1", 220, 0.5),
            Release("2.1.0", 25, 0.2),
        ),
        (("line", "metering"), ("grade", "class-1")), module="metrology", module_alias="Metering_chip",
    ),
    Model(
        WATER, "智能水表_WM3", "Ultrasonic water meter DN20, NB-IoT", 0.1, 0, "CELLULAR",
        "WaterMeter", "Water meter", "WM3{year}{week}{n:06}",
        ("{site}{building}幢{unit}单元{floor}0{door}水表", "{site}_Water_{building}_{unit}_{floor}0{door}"),
        (Release("0.9.8", 400, 0.15), Release("1.0.0", 300, 0.55), Release("1.0.3", 130, 0.3)),
        (("line", "metering"),), days=410,
    ),
    Model(
        LIGHT, "Street_Light_SL200", "Single-lamp street light controller, NB-IoT", 0.224, 0, "CELLULAR",
        "Lighting", "Street Lamp", "SL200-{city}-{n:05}",
        ("{road}{k}号灯杆", "{road}_Lamp_{k}"),
        (Release("1.6.2", 640, 0.15), Release("1.7.5", 350, 0.6), Release("1.8.1", 60, 0.25)),
        (("line", "lighting"), ("dimming", "0-10V")), module="dimmer", module_alias="Dimming_driver",
    ),
    Model(
        LIFT, "Elevator_Monitor_EM1", "Prototype: vibration and door state of elevators", 0.001, 0, "WIFI",
        "ElevatorMonitor", "Elevator monitor", "EM1-PROTO-{n:03}",
        ("测试样机{k}", "Prototype_{k}"),
        (Release("0.1.0", 50, 0.4), Release("0.2.0-beta", 20, 0.6)),
        published=False, days=60,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """A residential or business site: the smallest group."""

    name: str
    chinese: str
    district: str
    road: str


@dataclass(frozen=True, slots=True)
class City:
    """A city group; `code` is part of the names of its street lights."""

    name: str
    chinese: str
    code: str
    sites: tuple[Site, ...]


REGIONS: tuple[tuple[str, str, tuple[City, ...]], ...] = (
    (
        "East_China", "华东",
        (
            City("Hangzhou", "杭州", "HGH", (
                Site("Starlight_Court", "星光苑", "滨江", "江南大道"),
                Site("Riverside_Garden", "临江花园", "上城", "钱江路"),
                Site("Future_Sci_Tech_City", "未来科技城", "余杭", "文一西路"),
            )),
            City("Shanghai", "上海", "SHA", (
                Site("Century_Park", "世纪公园", "浦东", "锦绣路"),
                Site("Jingan_Heights", "静安华府", "静安", "昌平路"),
                Site("Hongqiao_Business_Park", "虹桥商务区", "闵行", "申长路"),
            )),
            City("Suzhou", "苏州", "SZV", (
                Site("Jinji_Lake", "金鸡湖", "工业园", "星湖街"),
                Site("Canal_Mansions", "运河壹号", "姑苏", "人民路"),
            )),
        ),
    ),
    (
        "South_China", "华南",
        (
            City("Shenzhen", "深圳", "SZX", (
                Site("Bay_Tech_Park", "深圳湾科技园", "南山", "科苑路"),
                Site("Lotus_Village", "莲花村", "福田", "红荔路"),
            )),
            City("Guangzhou", "广州", "CAN", (
                Site("Pearl_River_New_Town", "珠江新城", "天河", "花城大道"),
                Site("University_Island", "大学城", "番禺", "外环东路"),
            )),
        ),
    ),
    (
        "Southwest", "西南",
        (
            City("Chengdu", "成都", "CTU", (
                Site("Tianfu_Software_Park", "天府软件园", "高新", "天府大道"),
                Site("Panda_Gardens", "熊猫家园", "成华", "熊猫大道"),
            )),
            City("Chongqing", "重庆", "CKG", (
                Site("Two_Rivers_Plaza", "两江广场", "渝北", "金开大道"),
                Site("Hillside_Terrace", "山城印象", "渝中", "中山三路"),
            )),
        ),
    ),
    (
        "North_China", "华北",
        (
            City("Beijing", "北京", "PEK", (
                Site("Zhongguancun_Campus", "中关村园区", "海淀", "中关村大街"),
                Site("Olympic_Quarter", "奥体家园", "朝阳", "北辰东路"),
            )),
            City("Tianjin", "天津", "TSN", (
                Site("Binhai_Harbor", "滨海港区", "滨海", "新港大道"),
                Site("Five_Avenues", "五大道", "和平", "成都道"),
            )),
        ),
    ),
)  # fmt: skip

PLACES: tuple[tuple[City, Site], ...] = tuple(
    (city, site) for _, _, cities in REGIONS for city in cities for site in city.sites
)
INSTALLERS = ("Huaxin", "Lvneng", "Zhongtian", "Anda")
