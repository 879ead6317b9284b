"""Names of invented people, by where their families come from: as varied as the patients of a city practice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NameGroup:
    """Given names by sex, family names, and the language these people speak at home (empty: the clinic's)."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]
    language: str = ""
    women_families: tuple[str, ...] = ()  # where a woman's family name has a form of its own
    interpreter: float = 0.0  # how many of them need an interpreter


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


BRITISH = NameGroup(
    _words(
        "Margaret Susan Patricia Christine Janet Barbara Jean Karen Julie Helen Sarah Emma Claire Nicola Rebecca Laura Katherine Charlotte "
        "Olivia Amelia Isla Ava Grace Poppy Florence Ivy Daisy Evelyn Harriet Beatrice Rosie Imogen Georgina Philippa Gillian Maureen "
        "Doreen Sheila Beryl Hazel"
    ),
    _words(
        "David John Peter Michael Alan Keith Brian Kenneth Graham Stephen Paul Andrew Mark Simon Richard Jonathan Christopher Daniel James "
        "Thomas Oliver George Arthur Noah Leo Oscar Alfie Henry Freddie Theodore Edward Rupert Gareth Trevor Nigel Derek Ronald Stanley"
    ),
    _words(
        "Smith Jones Taylor Brown Wilson Evans Walker Wright Robinson Thompson White Hughes Edwards Green Hall Wood Harris Clarke Jackson "
        "Turner Hill Cooper Ward Morris Moore Baker Harrison Morgan Bennett Carter Whitcombe Ashdown Pemberton Fairweather Lockwood "
        "Shaw-Hargreaves Thistlethwaite Birtwistle Rowbotham Sedgwick Marlowe Winterbourne Oakley Attwater"
    ),
)
IRISH = NameGroup(
    _words("Aoife Siobhán Niamh Ciara Gráinne Orla Róisín Sinéad Maeve Bridget Deirdre Caoimhe"),
    _words("Seán Cormac Pádraig Eoin Declan Cillian Fergal Conor Tadhg Ruairí Brendan Diarmuid"),
    _lines(
        "O'Brien, O'Connor, Murphy, Ní Dhomhnaill, Kavanagh, Byrne, Gallagher, O'Sullivan, McCarthy, Fitzgerald, Doyle, Mac Giolla"
    ),
)
WELSH_SCOTTISH = NameGroup(
    _words("Angharad Rhiannon Cerys Sioned Ffion Eilidh Morag Catriona Mairi Fiona Kirsty Isobel"),
    _words("Rhys Gethin Llewellyn Iwan Dafydd Hamish Callum Alasdair Ruaridh Fergus Struan Owain"),
    _words("Llewelyn Prosser Gruffydd Bevan Griffiths Pryce MacDonald Campbell Sinclair McAllister Dalgleish Urquhart"),
)
SOUTH_ASIAN = NameGroup(
    _words(
        "Priya Anjali Fatima Ayesha Sunita Meera Nusrat Rukhsana Kavita Deepika Shabnam Harpreet Gurleen Nasreen Lakshmi Tahmina"
    ),
    _words("Arjun Rohan Mohammed Imran Sanjay Vikram Tariq Harjit Gurpreet Rahul Abdul Kamal Suresh Faisal Anil Shafiq"),
    _words(
        "Patel Khan Singh Sharma Hussain Begum Chowdhury Iyer Kaur Malik Ahmed Desai Rahman Gupta Mukherjee Sandhu Nair Qureshi"
    ),
    "ur",
    interpreter=0.18,
)
WEST_AFRICAN = NameGroup(
    _words("Adaeze Ngozi Folake Abena Ama Chiamaka Titilayo Efua Yetunde Akosua Temitope Ifeoma"),
    _words("Chukwuemeka Kwame Olumide Babatunde Kofi Tunde Emeka Yaw Obinna Femi Kwabena Ayodele"),
    _words("Okonkwo Adeyemi Mensah Boateng Okafor Balogun Asante Nwosu Owusu Adebayo Eze Oyelaran"),
)
CARIBBEAN = NameGroup(
    _words("Marcia Yvonne Shanice Beverley Chantelle Paulette Joycelyn Tamika Winsome Lorna"),
    _words("Delroy Winston Leroy Errol Jermaine Tyrone Clive Desmond Everton Lloyd"),
    _words("Campbell Grant Francis Blake Samuels Pryce-Grant Reid Gordon Baptiste St-Louis"),
)
POLISH = NameGroup(
    _words("Agnieszka Małgorzata Katarzyna Zofia Wiktoria Joanna Żaneta Elżbieta"),
    _words("Paweł Łukasz Grzegorz Krzysztof Stanisław Michał Wojciech Bartłomiej"),
    _words("Kowalski Wiśniewski Lewandowski Zieliński Szymański Dąbrowski Kaczmarek Jabłoński"),
    "pl",
    _words("Kowalska Wiśniewska Lewandowska Zielińska Szymańska Dąbrowska Kaczmarek Jabłońska"),
    0.2,
)
ROMANIAN = NameGroup(
    _words("Ioana Andreea Ștefania Mihaela Crina Roxana"),
    _words("Ionuț Răzvan Ștefan Bogdan Cătălin Vlad"),
    _words("Popescu Ionescu Țurcanu Dumitrescu Șerban Văcărescu"),
    "ro",
    interpreter=0.2,
)
UKRAINIAN = NameGroup(
    _words("Оксана Наталія Ірина Соломія Людмила"),
    _words("Тарас Богдан Олександр Микола Ярослав"),
    _words("Шевченко Коваленко Бондаренко Ткачук Мельник"),
    "uk",
    interpreter=0.6,
)
RUSSIAN = NameGroup(
    _words("Елена Светлана Татьяна Маргарита Юлия"),
    _words("Дмитрий Сергей Алексей Борис Игорь"),
    _words("Иванов Соколов Кузнецов Морозов Левин"),
    "ru",
    _words("Иванова Соколова Кузнецова Морозова Левина"),
    0.5,
)
CHINESE = NameGroup(
    _words("秀英 丽华 雅婷 Mei-Ling Xiaoyan 佳怡 Wai-Fong"),
    _words("志强 建国 浩然 Jian Ka-Ming 伟 Zhiyuan"),
    _words("王 陈 李 Zhang Wong Chan 黄 Liu 林"),
    "zh",
    interpreter=0.4,
)
ARABIC = NameGroup(
    _words("ليلى Noor فاطمة Rania Yasmin Huda سلمى Maryam"),
    _words("يوسف Omar أحمد Khalid Bilal Mustafa كريم Ziad"),
    _lines("al-Masri, Haddad, الخطيب, Mansour, عبد الله, El-Sayed, Al-Rashid, Nasser"),
    "ar",
    interpreter=0.4,
)
TURKISH = NameGroup(
    _words("Ayşe Elif Zeynep Gülşen Çiğdem Şebnem"),
    _words("Mehmet Emre Çağlar Oğuz Hüseyin Barış"),
    _words("Yılmaz Kaya Şahin Öztürk Çelik Güneş"),
    "tr",
    interpreter=0.25,
)
GREEK = NameGroup(
    _words("Ελένη Despina Μαρία Katerina"),
    _words("Γιώργος Stavros Νίκος Andreas"),
    _words("Papadopoulos Γεωργίου Christodoulou Οικονόμου"),
    "el",
    interpreter=0.15,
)
SOMALI_ETHIOPIAN = NameGroup(
    _words("Hodan Fadumo Selamawit ሀና Asha Tigist"),
    _words("Abdirahman Yonas Mahad ዳዊት Warsame Biniam"),
    _words("Warsame Tesfaye Farah Haile Abdullahi በቀለ"),
    "so",
    interpreter=0.45,
)
PORTUGUESE = NameGroup(
    _words("Inês Conceição Luísa Beatriz Mafalda Graça"),
    _words("João Tomás Gonçalo Vítor Sérgio Estêvão"),
    _lines("da Silva, Gonçalves, Magalhães, Araújo, dos Santos, Brandão"),
    "pt",
    interpreter=0.25,
)
JEWISH = NameGroup(
    _words("Miriam Shoshana Rivka Tova נועה Hannah"),
    _words("Avraham Yitzhak Eitan Mordechai דוד Saul"),
    _words("Goldberg Rosenthal Ben-David Katz Feinstein לוי"),
    "he",
)
AMERICAN = NameGroup(
    _words(
        "Mary Linda Deborah Sharon Carol Donna Kimberly Jennifer Amy Melissa Heather Ashley Brittany Madison Abigail Hailey Brooklyn Savannah "
        "Peggy Gladys Lorraine Marjorie Tiffany Kelsey Paige Sierra Autumn Nora Lucille Eleanor Betty Joyce Judith Cynthia"
    ),
    _words(
        "Robert William Charles Gary Larry Dennis Scott Jeffrey Todd Kevin Brandon Tyler Zachary Hunter Mason Carter Wyatt Landon "
        "Earl Walter Clifford Howard Randall Bradley Curtis Dustin Chase Owen Ezra Julian Frank Harold Gerald Wayne"
    ),
    _words(
        "Johnson Miller Davis Anderson Martin Nelson Mitchell Roberts Phillips Campbell Parker Collins Stewart Sanders Price Bennett Russell "
        "Hamilton Schroeder Van-Buren Hutchinson Whitaker Delaney Kowalczyk Lindqvist Abernathy Stoddard Holloway Kirkpatrick Winslow "
        "Pruitt Garrison Haskell Thornburg"
    ),
)
AFRICAN_AMERICAN = NameGroup(
    _words("Keisha Latoya Ebony Imani Denise Aaliyah Tanisha Kiara Loretta Gwendolyn Jada Monique"),
    _words("Darnell Jamal Terrence Marquis Andre Malik DeShawn Isaiah Reginald Cedric Xavier Tyrell"),
    _words("Washington Jefferson Booker Coleman Freeman Banks Dorsey Gaines Mosley Broadnax Hightower Battle"),
)
HISPANIC = NameGroup(
    _lines(
        "María Guadalupe, Sofía, Valentina, Lucía, Ximena, Rosa, Esperanza, Gabriela, Yolanda, Mercedes, Itzel, Daniela, Carmen, Paloma, "
        "Noemí, Consuelo"
    ),
    _lines(
        "José Luis, Jesús, Andrés, Mateo, Santiago, Ángel, Raúl, Iván, Héctor, Joaquín, Rodrigo, Martín, César, Benjamín, Óscar, Nicolás"
    ),
    _lines(
        "García, Hernández López, Martínez, Rodríguez, Peña, Núñez, Jiménez, Ortiz Rivera, Muñoz, Castillo, Vásquez, De la Cruz, Zúñiga, "
        "Gutiérrez, Sandoval, Ibáñez"
    ),
    "es",
    interpreter=0.3,
)
VIETNAMESE = NameGroup(
    _words("Linh Hương Thảo Phương Ngọc Mai"),
    _words("Tuấn Minh Quân Đức Hùng Khánh"),
    _words("Nguyễn Trần Lê Phạm Đặng Huỳnh"),
    "vi",
    interpreter=0.35,
)
KOREAN = NameGroup(
    _words("지우 서연 Min-seo Eun-ji 하은 Soo-jin"),
    _words("민준 Hyun-woo 도윤 Jae-hyun 준호 Dong-wook"),
    _words("김 Park 이 Choi 정 Kang"),
    "ko",
    interpreter=0.35,
)
JAPANESE = NameGroup(
    _words("さくら 陽子 Yuki 美咲"),
    _words("健太 Hiroshi 拓也 大輔"),
    _words("佐藤 Tanaka 山本 Watanabe"),
    "ja",
    interpreter=0.2,
)
FILIPINO = NameGroup(
    _words("Marisol Jasmine Corazon Maricel Divina Rowena"),
    _words("Rommel Jericho Crisanto Bayani Arnel Dante"),
    _lines("Santos, Reyes, Bautista, dela Rosa, Macaraeg, Villanueva"),
    "tl",
    interpreter=0.05,
)
ITALIAN = NameGroup(
    _words("Concetta Giulia Francesca Carmela Rosaria Angela"),
    _words("Salvatore Vincenzo Anthony Dominic Carmine Luca"),
    _lines("D'Angelo, Esposito, Lo Presti, Bianchi, Moretti, DeLuca"),
)
HAITIAN = NameGroup(
    _words("Marie-Claire Guerline Fabiola Nadège Wideline"),
    _words("Jean-Baptiste Wilner Réginald Jacques Emmanuel"),
    _words("Toussaint Pierre-Louis Desrosiers Laguerre Dieudonné"),
    "ht",
    interpreter=0.35,
)

MIXES: dict[str, tuple[tuple[NameGroup, int], ...]] = {
    "GB": (
        (BRITISH, 40), (IRISH, 6), (WELSH_SCOTTISH, 7), (SOUTH_ASIAN, 14), (WEST_AFRICAN, 6), (CARIBBEAN, 4), (POLISH, 4), (ROMANIAN, 3),
        (UKRAINIAN, 2), (CHINESE, 3), (ARABIC, 3), (TURKISH, 2), (GREEK, 2), (SOMALI_ETHIOPIAN, 2), (PORTUGUESE, 2), (JEWISH, 2),
    ),
    "US": (
        (AMERICAN, 36), (HISPANIC, 20), (AFRICAN_AMERICAN, 11), (SOUTH_ASIAN, 5), (CHINESE, 4), (VIETNAMESE, 3), (KOREAN, 3), (JAPANESE, 1),
        (FILIPINO, 3), (ITALIAN, 4), (IRISH, 3), (RUSSIAN, 2), (HAITIAN, 2), (ARABIC, 2), (JEWISH, 3), (SOMALI_ETHIOPIAN, 1), (WEST_AFRICAN, 2),
    ),
}  # fmt: skip
