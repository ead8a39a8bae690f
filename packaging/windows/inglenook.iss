; The Windows installer, for Inno Setup 6; compiled by packaging/package.py, which defines AppVersion, Frozen, Icon,
; OutputDir, OutputName, Flavour and, with a key, Sign. Per user, without an administrator.

#define Name "Inglenook"
#define Program "inglenook.exe"
#define Kind "Inglenook.gguf"

[Setup]
AppId={{6F0B7A52-9C1E-4B1B-9B57-1D4C0E3A5A11}
AppName={#Name}
AppVersion={#AppVersion}
AppVerName={#Name} {#AppVersion}
AppPublisher=The Inglenook authors
DefaultDirName={localappdata}\Programs\{#Name}
DefaultGroupName={#Name}
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
OutputDir={#OutputDir}
OutputBaseFilename={#OutputName}
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\{#Program}
UninstallDisplayName={#Name}
VersionInfoVersion={#AppVersion}
VersionInfoDescription={#Name} Setup
LicenseFile={#Frozen}\LICENSE.txt
WizardStyle=modern
Compression=lzma2/max
SolidCompression=yes
CloseApplications=yes
RestartApplications=no
ChangesEnvironment=yes
ChangesAssociations=yes
#ifdef Sign
SignTool=sign
SignedUninstaller=yes
#endif

[Languages]
Name: "english"; MessagesFile: "compiler:Default.isl"

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: "open"; Description: "Open model files (GGUF) with {#Name}"
Name: "path"; Description: "Make the command 'inglenook' known to terminals"

[InstallDelete]
; An update replaces the libraries of the version before, also those that the new one does not have.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Frozen}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\{#Name}"; Filename: "{app}\{#Program}"
Name: "{userdesktop}\{#Name}"; Filename: "{app}\{#Program}"; Tasks: desktopicon

[Registry]
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: NotInPath
; Model files: a kind of file of our own, offered for the ending; it becomes the one that opens them where there is none.
Root: HKCU; Subkey: "Software\Classes\{#Kind}"; ValueType: string; ValueData: "Language model"; Tasks: open; Flags: uninsdeletekey
Root: HKCU; Subkey: "Software\Classes\{#Kind}\DefaultIcon"; ValueType: string; ValueData: "{app}\{#Program},0"; Tasks: open
Root: HKCU; Subkey: "Software\Classes\{#Kind}\shell\open\command"; ValueType: string; ValueData: """{app}\{#Program}"" ""%1"""; Tasks: open
Root: HKCU; Subkey: "Software\Classes\.gguf\OpenWithProgids"; ValueType: string; ValueName: "{#Kind}"; ValueData: ""; Tasks: open; Flags: uninsdeletevalue uninsdeletekeyifempty
Root: HKCU; Subkey: "Software\Classes\.gguf"; ValueType: string; ValueData: "{#Kind}"; Tasks: open; Check: NobodyOpens; Flags: uninsdeletekeyifempty

[Run]
Filename: "{app}\{#Program}"; Description: "{cm:LaunchProgram,{#Name}}"; Flags: nowait postinstall skipifsilent

[Code]
function NotInPath: Boolean;
var
  Path: String;
begin
  if not RegQueryStringValue(HKCU, 'Environment', 'Path', Path) then
    Path := '';
  Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Path) + ';') = 0;
end;

function NobodyOpens: Boolean;
var
  Kind: String;
begin
  Result := not RegQueryStringValue(HKCR, '.gguf', '', Kind) or (Kind = '') or (Kind = '{#Kind}');
end;

procedure LeaveFiles;
var
  Kind: String;
begin
  if RegQueryStringValue(HKCU, 'Software\Classes\.gguf', '', Kind) and (Kind = '{#Kind}') then
    RegDeleteValue(HKCU, 'Software\Classes\.gguf', '');
end;

procedure LeavePath;
var
  Path, Ours: String;
  At: Integer;
begin
  if not RegQueryStringValue(HKCU, 'Environment', 'Path', Path) then
    exit;
  Ours := ';' + Uppercase(ExpandConstant('{app}'));
  At := Pos(Ours + ';', Uppercase(Path) + ';');
  if At > 0 then
  begin
    Delete(Path, At, Length(Ours));
    RegWriteExpandStringValue(HKCU, 'Environment', 'Path', Path);
  end;
end;

{ What the program itself says it keeps, one kind a line, with sizes. Empty when it keeps nothing or cannot say. }
function Kept: String;
var
  Place: String;
  Lines: TArrayOfString;
  Code, Index: Integer;
begin
  Result := '';
  Place := ExpandConstant('{tmp}\kept.txt');
  if Exec(ExpandConstant('{cmd}'), '/C ""' + ExpandConstant('{app}\{#Program}') + '" remove-data --list > "' + Place + '""',
      '', SW_HIDE, ewWaitUntilTerminated, Code) and (Code = 0) and LoadStringsFromFile(Place, Lines) then
    for Index := 0 to GetArrayLength(Lines) - 1 do
      if Pos('  ', Lines[Index]) = 1 then
        Result := Result + Lines[Index] + #13#10;
end;

procedure RemoveData(Words: String);
var
  Code: Integer;
begin
  if not Exec(ExpandConstant('{app}\{#Program}'), 'remove-data --yes' + Words, '', SW_HIDE, ewWaitUntilTerminated, Code)
      or (Code <> 0) then
    MsgBox('Not everything could be removed. Is {#Name} still running?', mbInformation, MB_OK);
end;

{ Asked before the program goes, because it does the work. Silent removal keeps everything. }
procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Told: String;
begin
  if Step = usUninstall then
  begin
    LeavePath;
    LeaveFiles;
    if UninstallSilent then
      exit;
    Told := Kept;
    if Told = '' then
      exit;
    if MsgBox('Your conversations and settings stay unless you say otherwise. {#Name} keeps:' + #13#10#13#10 + Told
        + #13#10 + 'Remove this too, all but the models?', mbConfirmation, MB_YESNO or MB_DEFBUTTON2) = IDYES then
    begin
      if (Pos('Models:', Told) > 0) and (MsgBox('Remove the downloaded models too?', mbConfirmation,
          MB_YESNO or MB_DEFBUTTON2) = IDYES) then
        RemoveData(' --models')
      else
        RemoveData('');
    end;
  end;
end;
